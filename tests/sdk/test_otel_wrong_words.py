"""Whatever is said to OpenTelemetry's API, nothing is raised, and what can be kept is kept."""

from __future__ import annotations

PROGRAM = """
import qmon_sdk as qmon, qmon_sdk.otel
from opentelemetry import _logs, metrics, trace

class Hostile:
    def __getattr__(self, name):
        raise RuntimeError(name)
    def __str__(self):
        raise RuntimeError
    __repr__ = __eq__ = __hash__ = __len__ = __iter__ = __bool__ = __str__

WRONG = [None, 5, "x", b"x", [], {}, Hostile(), object(), {"": 1}, {None: 1}, {5: Hostile()}, [1],
         float("nan"), "x" * 10_000_000, chr(0xD800), -1, 1 << 80]
TELL = ("end", "set_attributes", "add_event", "add_link", "update_name", "set_status",
        "record_exception")
START = ("context", "kind", "attributes", "links", "start_time", "record_exception")
EMIT = ("timestamp", "context", "severity_number", "body", "attributes", "event_name", "exception")

qmon.init(dsn="memory:", integrations=())
qmon_sdk.otel.install()
tracer, meter, logger = trace.get_tracer("t"), metrics.get_meter("m"), _logs.get_logger("l")

def blocks(**how):
    with tracer.start_as_current_span("s", **how) as span:
        span.set_attribute("k", 1)

def tell(verb, wrong):
    with tracer.start_as_current_span("s") as span:
        getattr(span, verb)(wrong)
    with qmon.span("native"):
        getattr(trace.get_current_span(), verb)(wrong)

for wrong in WRONG:
    tracer.start_span(wrong).end()
    trace.get_tracer(wrong), metrics.get_meter(wrong), _logs.get_logger(wrong)
    for word in START:
        blocks(**{word: wrong})
    for verb in TELL:
        tell(verb, wrong)
    blocks(attributes={"k": wrong})
    for word in EMIT:
        logger.emit(**{word: wrong})
    logger.emit(wrong)
    for create in (meter.create_counter, meter.create_up_down_counter):
        create("n").add(wrong)
        create("n").add(1, wrong)
        create(wrong, wrong)
    meter.create_histogram("h").record(wrong, {"k": wrong})
    meter.create_observable_gauge(wrong, wrong)
    meter.create_observable_counter("o", [wrong, lambda _: wrong, lambda _: [wrong]])

assert qmon.flush(30)
lost = {name: n for name, n in qmon.stats().dropped.items() if name != "point/invalid_value"}
print(lost, qmon.stats().captured["span"] - len(WRONG) * (2 + len(START) + 2 * len(TELL)))
"""


class TestWrongWords:
    def test_raise_nothing_and_cost_no_span(self, ended):
        done = ended(PROGRAM)

        assert (0, "", "{} 0\n") == (done.code, done.err, done.out)
