"""Whatever a program says, no verb raises, blocks or loses count."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

import qmon_sdk as qmon

sys.path.insert(0, str(Path(__file__).parent))
from hostile import values

sys.path.pop(0)

PATIENCE_S = 5
VALUES = values()


@pytest.fixture(scope="module", autouse=True)
def memory_back():
    """The hundred million characters are wanted here only."""
    yield
    VALUES.clear()


class Verbs:
    """Each verb of the front door, told one value wherever it takes any."""

    def span(self, value):
        with qmon.span("work", a=value) as span:
            span.set_attribute("b", value)
            span.set_attributes({"c": value})
            span.set_status("error", value)

    def current_span(self, value):
        with qmon.span("work"):
            qmon.current_span().set_attribute("a", value)

    def instrument(self, value):
        @qmon.instrument(record_args=True, record_return=True)
        def work(given, *, named):
            return given

        assert work(value, named=value) is value

    def instrumented_failure(self, value):
        @qmon.instrument(record_args=True)
        def work(given):
            raise ValueError(given)

        with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
            work(value)

    def capture_exception(self, value):
        in_a_variable = {"deep": [value]}
        try:
            raise ValueError(value, in_a_variable)
        except ValueError as error:
            qmon.capture_exception(error, attributes={"a": value}, tag=value)

    def capture_exception_facts(self, value):
        qmon.capture_exception(ValueError("x"), level=value, fingerprint=[value], handled=value)

    def capture_message(self, value):
        qmon.capture_message("x", attributes={"a": value}, tag=value)

    def capture_anything(self, value):
        qmon.capture_message(value, level=value)

    def add_breadcrumb(self, value):
        qmon.add_breadcrumb(value, category=value, level=value, type=value, data={"a": value})
        qmon.capture_message("x")

    def set_user(self, value):
        with qmon.new_scope():
            qmon.set_user({"id": value, "a": value})
            qmon.track("x")
            qmon.capture_message("x")

    def set_tags(self, value):
        with qmon.new_scope(tags={"a": value}, contexts={"c": {"a": value}}, flags={"f": value}):
            qmon.set_tag("b", value)
            qmon.set_tags({"c": value})
            qmon.set_context("d", {"a": value})
            qmon.set_flag("g", value, variant=value)
            qmon.capture_message("x")

    def track(self, value):
        qmon.track("x", {"a": value}, groups={"g": value}, b=value)
        qmon.track("x", user_id=value, anonymous_id=value)

    def track_at(self, value):
        qmon.track("x", timestamp=value)

    def identify(self, value):
        with qmon.new_scope():
            qmon.identify(value, {"a": value})

    def feature(self, value):
        used = qmon.feature("x", {"a": value})
        with used:
            pass

    def session(self, value):
        with qmon.session(user={"id": value}, mode=value):
            pass

    def log(self, value):
        qmon.log.info("{a} {a:>10} {a.b} {a[0]}", a=value)
        qmon.log.bind(a=value).named("x").error("x")

    def count(self, value):
        qmon.count("x", attributes={"a": value})
        qmon.gauge("x", attributes={"a": value})
        qmon.distribution("x", attributes={"a": value}, unit=value)
        qmon.count.bind("x", attributes={"a": value})()

    def count_of(self, value):
        qmon.count("x", value)
        qmon.gauge("x", value)
        qmon.distribution("x", value)
        qmon.flush()

    def timer(self, value):
        with qmon.timer("x", attributes={"a": value}):
            pass

    def inject(self, value):
        qmon.inject({"a": value})

    def continue_trace(self, value):
        with qmon.continue_trace({"traceparent": value, "baggage": value, "tracestate": value}):
            qmon.inject()

    def monitor(self, value):
        with qmon.monitor("x"):
            pass
        qmon.heartbeat("x")

    def stats(self, value):
        qmon.stats()


VERBS = [name for name in vars(Verbs) if not name.startswith("_")]
# To tell label sets apart is to hash them, and to add a value up is to ask it for its number:
# an object that never comes back from that, or ends the program in it, does so here too.
ITS_OWN_CODE = {
    (verb, f"an object that {deed}")
    for verb in ("count", "count_of", "timer")
    for deed in ("blocks", "exits")
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_told_anything(verb, told):
    """It comes back soon, raises nothing, not even where failures of ours are loud, and goes on."""
    for name, value in VALUES.items():
        if (verb, name) in ITS_OWN_CODE:
            continue
        began = time.perf_counter()
        getattr(Verbs(), verb)(value)
        qmon.flush()
        assert time.perf_counter() - began < PATIENCE_S, name

    qmon.track("after")
    assert "after" in [event.name for event in told.all("event")]
    assert not [reason for reason in qmon.stats().dropped if "internal_error" in reason]


def test_a_million_values_of_a_label_are_a_bounded_number_of_series(told):
    began = time.perf_counter()
    for number in range(1_000_000):
        qmon.count("visits", attributes={"user": number})
    points = told.all("point")

    assert time.perf_counter() - began < 60
    assert len({str(point.attributes) for point in points}) <= 2001
    assert qmon.stats().dropped["point/cardinality_limit"] == 1_000_000 - 2000
    assert sum(point.value for point in points) == 1_000_000


def test_what_is_decorated_twice_is_two_spans(told):
    @qmon.instrument(name="outer")
    @qmon.instrument(name="inner")
    def work():
        return 1

    assert work() == 1
    assert [span.name for span in told.spans] == ["inner", "outer"]


@pytest.mark.parametrize("when", ["before init", "after shutdown"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_when_nobody_records(when, verb, told):
    qmon.shutdown(timeout=0)
    if when == "before init":
        qmon.init(enabled=False)
    getattr(Verbs(), verb)("x")
    assert qmon.flush()
    assert qmon.stats().captured == {}
