"""What makes a sink a sink: every file in the folder, ours and others', behind a real forwarder."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import threading
import time
import tracemalloc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

from qmon_agent.domain.errors import ConfigError, UnknownPluginError
from qmon_agent.domain.plugins import options_of
from qmon_agent.forward import Forwarder, Pace, Supply
from qmon_agent.forward.batch import batch_of
from qmon_agent.forward.places import forget_strangers
from qmon_agent.forward.sinks import DELIVERED, SINKS, make_sinks
from qmon_agent.forward.sinks._totals import Totals
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame
from qmon_sdk.protocol.signals import Point, Span

PROCESS = bytes(range(16))
ANSWERING = (
    "datadog",
    "elasticsearch",
    "influxdb",
    "loki",
    "native",
    "nats",
    "prometheus_remote_write",
    "sentry",
    "webhook",
)
QUICK = Pace(wait_s=0.01, first_s=0.01, most_s=0.05, open_s=0.05, batch_bytes=4096)
PARSERS = {
    "/v1/traces": traces.ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


class Receiver(ThreadingHTTPServer):
    """A real receiver of OTLP on loopback: answers what is next in `answers`, else 200."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.got, self.asked = [], [], []
        self.open = threading.Event()
        self.open.set()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(time.monotonic())
        self.server.open.wait(10)
        answers = self.server.answers
        status, headers, said = answers.pop(0) if answers else (200, {}, b"")
        if status == 200:
            message = PARSERS[self.path].FromString(body)
            self.server.got.append((self.headers["idempotency-key"], message))
        self.send_response(status)
        for name, value in {"content-length": len(said), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


class OtlpSide:
    """How the tests see what arrived by OTLP, and how they break it for a while."""

    def __init__(self, directory):
        self.receiver = Receiver()
        self.options = {"endpoint": self.receiver.url, "timeout_s": 0.5}

    def arrived(self):
        """The name of each span, with what tells a double."""
        return [
            (key.rpartition("-")[0], span.name)
            for key, message in self.receiver.got
            for part in getattr(message, "resource_spans", ())
            for span in part.scope_spans[0].spans
        ]

    def broken(self):
        self.receiver.answers += [(503, {}, b"")] * 2

    def close(self):
        self.receiver.open.set()
        self.receiver.shutdown()
        self.receiver.server_close()


class FileSide:
    """The same of a file."""

    def __init__(self, directory):
        self.path = directory / "out" / "signals.ndjson"
        self.options = {"path": str(self.path)}

    def arrived(self):
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        spans = [line for line in map(json.loads, lines) if line["kind"] == "span"]
        return [(line["batch"], line["fields"]["name"]) for line in spans]

    def broken(self):
        """A folder stands in the way."""
        self.path.mkdir(parents=True)
        return self.path.rmdir

    def close(self):
        pass


SIDES = {"file": FileSide, "otlp": OtlpSide}


class Line:
    """A journal, and forwarders that read it."""

    def __init__(self, directory):
        self.directory = directory
        self.journal = Journal.open(directory, options=JournalOptions(segment_bytes=8192))
        self.vitals = Vitals()
        self.sequence = 0
        self.make = a_span
        self._running = {}

    def take(self, *names, signals=None):
        """One frame of one signal per name, committed."""
        for name in names:
            self.sequence += 1
            payload = a_frame(self.sequence, signals or [self.make(name)])
            self.journal.append(payload, process=PROCESS, sequence=self.sequence)
        self.journal.commit()
        for forwarder, _ in self._running.values():
            forwarder.committed()

    def start(self, name, sink):
        supply = Supply(
            journal=self.journal, directory=self.directory, bury=self._bury, vitals=self.vitals
        )
        forwarder = Forwarder(name, sink, supply=supply, pace=QUICK)
        self._running[name] = forwarder, asyncio.create_task(forwarder.run())
        return forwarder

    async def stop(self, *names):
        for name in names or [*self._running]:
            forwarder, task = self._running.pop(name)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            forwarder.close()

    async def _bury(self, payload, reason):
        self.journal.bury(payload, reason)


def a_span(name):
    return Span(time=1, name=name, trace_id="ab" * 16, span_id="cd" * 8, duration_ns=5)


def a_frame(sequence, signals):
    resource = Resource(service="shop")
    frame = Frame(process=PROCESS, sequence=sequence, resource=resource, blocks=blocks_of(signals))
    return encode_frame(frame)


def names(count, start=0):
    return [f"span-{number}" for number in range(start, start + count)]


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def delivered(forwarder):
    await until(lambda: not forwarder.lag)


@pytest.fixture
async def line(tmp_path):
    line = Line(tmp_path / "journal")
    yield line
    await line.stop()
    line.journal.close()


@pytest.fixture
def side(name, line, tmp_path, request):
    made = side_of(name, request)
    further = {"backends": request.getfixturevalue("backends")} if name == "nats" else {}
    side = made(tmp_path, **further)
    line.make = getattr(side, "signal", a_span)
    yield side
    side.close()


def side_of(name, request):
    """Of what is older here, or of the peers."""
    return SIDES.get(name) or request.getfixturevalue("peers").SIDES[name]


@pytest.fixture
def otlp(tmp_path):
    side = OtlpSide(tmp_path)
    yield side
    side.close()


@pytest.fixture
def receiver(otlp):
    return otlp.receiver


@pytest.fixture
def sink(name, side):
    sink = SINKS.build(name, side.options)
    yield sink
    sink.close()


@pytest.mark.parametrize("name", SINKS.names())
class TestEverySink:
    def test_says_what_it_is_in_one_sentence(self, name):
        assert (SINKS.find(name).__doc__ or "").strip()

    def test_says_what_its_options_are(self, name, side):
        assert side.options.keys() <= {*options_of(SINKS.find(name))}

    def test_refuses_an_option_it_does_not_have(self, name, side):
        with pytest.raises(ConfigError, match=r"sinks\.here\.no_such"):
            make_sinks({"here": {"kind": name, **side.options, "no_such": 1}})

    def test_tells_where_it_sends_to_in_words_fit_for_json(self, sink):
        assert json.dumps(dict(sink.describe()))

    def test_closes_twice_and_sends_again(self, line, side, sink):
        line.take("one")
        batch = batch_of(JournalOf(line).records())
        sink.close()
        sink.close()

        assert "delivered" == sink.send(batch).outcome
        assert [(batch.id if tells_batches(side) else "", "one")] == side.arrived()

    async def test_delivers_everything_once_and_in_order(self, line, side, name, sink):
        line.take(*names(200))

        await delivered(line.start(name, sink))

        assert names(200) == [span for _, span in side.arrived()]
        assert line.vitals.count("sink_batches", sink=name) > 1
        assert 200 == line.vitals.count("sink_sent", sink=name)

    async def test_delivers_what_comes_while_it_runs(self, line, side, name, sink):
        forwarder = line.start(name, sink)
        await asyncio.sleep(0.05)
        line.take("late")

        await delivered(forwarder)

        assert ["late"] == [span for _, span in side.arrived()]

    async def test_tries_again_what_did_not_arrive(self, line, side, name, sink):
        mend = side.broken()
        line.take(*names(3))
        forwarder = line.start(name, sink)
        await until(lambda: line.vitals.count("sink_retries", sink=name))
        if mend:  # else what is broken mends itself by being tried
            await asyncio.to_thread(mend)
        await delivered(forwarder)

        assert names(3) == [span for _, span in side.arrived()]
        assert not line.journal.dead_letters()

    async def test_goes_on_where_it_was(self, line, side, name):
        line.take(*names(5))
        await delivered(line.start(name, SINKS.build(name, side.options)))
        await line.stop()
        line.take(*names(5, start=5))

        await delivered(line.start(name, SINKS.build(name, side.options)))

        assert names(10) == [span for _, span in side.arrived()]

    def test_leaves_nothing_behind_of_what_it_has_sent(self, line, side, sink):
        line.take(*names(20))
        batches = [batch_of([record]) for record in JournalOf(line).records()]
        assert "delivered" == sink.send(batches.pop(0)).outcome
        before = iterators()

        for batch in batches:
            sink.send(batch)
            side.arrived()  # a socket that nobody reads would be full soon

        assert iterators() - before < len(batches) // 2


def iterators():
    """How many are alive: one that nobody lets go of is the smallest of leaks, and never ends."""
    gc.collect()
    return sum(hasattr(type(each), "__next__") for each in gc.get_objects())


def tells_batches(side):
    """Whether what arrives says which batch it came in."""
    return getattr(side, "tells_batches", True)


@pytest.mark.parametrize("name", ANSWERING)
class TestEverySinkThatIsAnswered:
    """The other side says whether it took what was sent; here it has one fault or another."""

    @pytest.fixture
    def sink_at(self, name, request):
        """Makes one that sends to an address, and closes it."""
        made = []

        def make(url):
            side = side_of(name, request)
            made.append(SINKS.build(name, side.at(side.__new__(side), url)))
            return made[-1]

        yield make
        for sink in made:
            sink.close()

    @pytest.mark.parametrize("fault", ["slow", "dripping", "half-open", "garbage", "500", "429"])
    def test_waits_while_the_other_side_has(self, fault, sink_at, line, side, peers):
        faulty = peers.Faulty(fault)
        sink, began = sink_at(faulty.url), time.monotonic()
        line.take(*names(3))

        delivery = sink.send(batch_of(JournalOf(line).records()))

        faulty.close()
        assert "retry" == delivery.outcome, delivery
        assert time.monotonic() - began < 5

    def test_waits_for_a_person_who_mends_a_token(self, name, side, sink, line):
        if name == "nats":
            pytest.skip("its tokens are looked at when it connects")
        side.receiver.answers += [(401, {}, b""), (403, {}, b"")]
        line.take("one")
        batch = batch_of(JournalOf(line).records())

        said = [sink.send(batch) for _ in range(3)]

        assert ["retry", "retry", "delivered"] == [each.outcome for each in said]
        assert "token" in said[0].detail

    async def test_holds_up_nobody_and_its_memory_stays_flat(
        self, sink_at, line, side, peers, tmp_path
    ):
        faulty = peers.Faulty("half-open")
        slow, file = line.start("slow", sink_at(faulty.url)), FileSide(tmp_path)
        quick = line.start("quick", SINKS.build("file", file.options))
        await grown(line, quick)
        tracemalloc.start()

        await grown(line, quick)

        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        faulty.close()
        assert (600, 600) == (slow.lag, line.vitals.count("sink_sent", sink="quick"))
        assert size < 2_000_000


async def grown(line, forwarder):
    """Three hundred frames more, and whoever is quick has them."""
    line.take(*names(300))
    await delivered(forwarder)


class JournalOf:
    """What a line's journal holds."""

    def __init__(self, line):
        self._line = line

    def records(self):
        from qmon_agent.journal import JournalReader

        return JournalReader(self._line.directory).read(max_bytes=1 << 20)


def sink_of(side):
    return SINKS.build("prometheus_remote_write", side.options)


class PickySink:
    """Cannot write whatever has a bad name in it."""

    def send(self, batch):
        if b"bad" in b"".join(map(encode_frame, batch.frames)):
            raise ValueError("bad")
        return DELIVERED

    def close(self):
        pass

    def describe(self):
        return {}


class TestForwarding:
    async def test_a_slow_sink_holds_up_no_other(self, line, otlp, tmp_path):
        slow = line.start("slow", SINKS.build("otlp", otlp.options | {"timeout_s": 5}))
        otlp.receiver.open.clear()
        side = FileSide(tmp_path)
        quick = line.start("quick", SINKS.build("file", side.options))
        line.take(*names(50))

        await delivered(quick)

        assert names(50) == [span for _, span in side.arrived()]
        assert 50 == slow.lag

    async def test_holds_back_trimming_until_it_has_sent(self, line, otlp):
        otlp.receiver.answers += [(503, {}, b"")] * 1000
        line.start("otlp", SINKS.build("otlp", otlp.options))
        line.take(*names(300))

        assert 0 == line.journal.trim().segments

    async def test_what_is_configured_no_more_holds_back_nothing(self, line, otlp):
        line.start("otlp", SINKS.build("otlp", otlp.options))
        await line.stop()

        forget_strangers(line.journal.cursors, {})

        assert not line.journal.cursors.all()

    async def test_the_breaker_opens_and_closes_again(self, line, otlp):
        otlp.receiver.answers += [(503, {}, b"")] * 6
        forwarder = line.start("otlp", SINKS.build("otlp", otlp.options))
        line.take("one")

        await until(lambda: forwarder.problem)
        assert "HTTP 503" in forwarder.problem
        await delivered(forwarder)

        assert ("closed", "") == (forwarder.describe()["breaker"], forwarder.problem)

    async def test_the_same_batch_comes_again_when_the_place_was_not_kept(self, line, otlp):
        line.take(*names(5))
        line.journal.cursors.save("sending.otlp", JournalOf(line).records()[2].position)

        await delivered(line.start("otlp", SINKS.build("otlp", otlp.options)))

        first = batch_of(JournalOf(line).records()[:3]).id
        assert [first] * 3 == [batch for batch, _ in otlp.arrived()][:3]
        assert names(5) == [span for _, span in otlp.arrived()]

    async def test_a_batch_that_no_sink_can_write_does_not_stand_there_for_ever(self, line):
        forwarder = line.start("picky", PickySink())
        line.take("bad")
        await delivered(forwarder)
        line.take("good")

        await delivered(forwarder)

        [letter] = line.journal.dead_letters()
        assert "sink picky: ValueError: bad" == letter.reason
        assert (1, 1) == tuple(line.vitals.count(f"sink_{n}") for n in ("rejected", "sent"))

    async def test_what_a_sink_remembers_goes_with_its_place(self, line, request):
        side = side_of("prometheus_remote_write", request)(line.directory)
        line.make, memory = side.signal, line.directory.with_name("sinks") / "rw.db"
        for _ in range(2):
            line.take("one")
            await delivered(line.start("rw", sink_of(side)))
            await line.stop()
        forget_strangers(line.journal.cursors, {})

        await delivered(line.start("rw", sink_of(side)))

        side.close()
        totals = Totals(memory)
        assert [2.0] == [total.value for _, total in totals.heard_within(60_000)]
        totals.close()

    def test_a_sink_has_a_name_that_a_cursor_can_have(self):
        with pytest.raises(ConfigError, match="letters, digits"):
            make_sinks({"a/b": {"kind": "file", "path": "x"}})

    def test_an_unknown_kind_is_refused_with_the_nearest(self):
        with pytest.raises(UnknownPluginError, match="otlp"):
            make_sinks({"otpl": {}})


class TestOtlp:
    @pytest.mark.parametrize("status", [400, 404, 413])
    async def test_a_refusal_is_final_and_the_frames_are_dead_letters(self, line, otlp, status):
        otlp.receiver.answers += [(status, {}, b"")]
        line.take("bad")

        await delivered(line.start("otlp", SINKS.build("otlp", otlp.options)))

        [letter] = line.journal.dead_letters()
        assert f"sink otlp: HTTP {status} from v1/traces" == letter.reason
        assert (1, 0) == tuple(line.vitals.count(f"sink_{n}") for n in ("rejected", "sent"))

    async def test_a_refusal_is_a_problem_although_its_breaker_is_closed(self, line, otlp):
        otlp.receiver.answers += [(400, {}, b"no such thing")]
        line.take("bad")
        forwarder = line.start("otlp", SINKS.build("otlp", otlp.options))
        await delivered(forwarder)
        line.take("good")
        await delivered(forwarder)

        assert forwarder.problem.startswith("1 of 2 signals were refused in the last 10 minutes")
        assert forwarder.problem.endswith("no such thing")
        assert forwarder.problem == forwarder.describe()["trouble"]

    @pytest.mark.parametrize("status", [302, 401, 403, 408, 429, 500, 502, 503, 504])
    async def test_what_may_pass_is_tried_again(self, line, otlp, status):
        otlp.receiver.answers += [(status, {}, b"")]
        line.take("good")

        await delivered(line.start("otlp", SINKS.build("otlp", otlp.options)))

        assert ["good"] == [span for _, span in otlp.arrived()]
        assert 2 == len(otlp.receiver.asked)

    async def test_waits_as_long_as_it_is_asked_to(self, line, otlp):
        otlp.receiver.answers += [(429, {"retry-after": "1"}, b"")]
        line.take("good")

        await delivered(line.start("otlp", SINKS.build("otlp", otlp.options)))

        first, second = otlp.receiver.asked
        assert second - first >= 1.0

    async def test_who_does_not_answer_is_asked_again(self, line, otlp):
        otlp.receiver.open.clear()
        options = otlp.options | {"timeout_s": 0.2}
        forwarder = line.start("otlp", SINKS.build("otlp", options))
        line.take("good")
        await until(lambda: line.vitals.count("sink_retries"))
        otlp.receiver.open.set()

        await delivered(forwarder)

        # What was sent before the patience ended has arrived as well: by its id it is the same.
        assert 1 == len({*otlp.arrived()})

    async def test_what_is_taken_in_part_is_counted_and_never_sent_again(self, line, otlp):
        said = traces.ExportTraceServiceResponse()
        said.partial_success.rejected_spans = 1
        said.partial_success.error_message = "too old"
        otlp.receiver.answers += [(200, {}, said.SerializeToString())]
        line.take("one", "two")

        forwarder = line.start("otlp", SINKS.build("otlp", otlp.options))
        await delivered(forwarder)

        described = forwarder.describe()
        assert (1, 1, "too old") == tuple(described[key] for key in ("rejected", "sent", "error"))
        assert 1 == len(otlp.receiver.asked)

    async def test_a_part_that_has_arrived_is_not_sent_with_the_one_that_has_not(self, line, otlp):
        otlp.receiver.answers += [(200, {}, b""), (503, {}, b"")]
        line.take("x", signals=[a_span("one"), Point(time=1, metric="m", value=1.0)])

        await delivered(line.start("otlp", SINKS.build("otlp", otlp.options)))

        assert ["one"] == [span for _, span in otlp.arrived()]
        assert 2 == len(otlp.receiver.got)

    async def test_what_cannot_be_written_harms_nothing_beside_it(self, line, otlp):
        most = (1 << 63) - 1
        monster = Point(
            time=1, metric="m", kind="distribution", buckets=dict.fromkeys(range(3), most)
        )
        line.take("x", signals=[a_span("one"), monster])

        await delivered(line.start("otlp", SINKS.build("otlp", otlp.options)))

        [letter] = line.journal.dead_letters()
        assert "cannot be written for v1/metrics" in letter.reason
        assert ["one"] == [span for _, span in otlp.arrived()]

    @pytest.mark.parametrize("endpoint", ["ftp://x", "collector:4318", "http://"])
    def test_names_the_option_that_is_wrong(self, endpoint):
        with pytest.raises(ConfigError, match=r"sinks\.otlp\.endpoint"):
            make_sinks({"otlp": {"endpoint": endpoint}})

    def test_tells_no_secrets(self):
        sink = SINKS.build("otlp", {"endpoint": "http://me:secret@host:1/x"})

        assert {"endpoint": "http://host:1/x"} == sink.describe()


class TestFile:
    def test_a_torn_line_does_not_stay(self, line, tmp_path):
        side = FileSide(tmp_path)
        side.path.parent.mkdir()
        side.path.write_bytes(b'{"whole":1}\n{"torn":' + b"x" * 200_000)
        line.take("one")

        SINKS.build("file", side.options).send(batch_of(JournalOf(line).records()))

        first, second = map(json.loads, side.path.read_bytes().splitlines())
        assert ({"whole": 1}, "span") == (first, second["kind"])

    def test_full_files_are_put_aside_and_the_oldest_goes(self, line, tmp_path):
        options = {"path": str(tmp_path / "s"), "max_bytes": 1, "files": 2}
        sink = SINKS.build("file", options)
        line.take(*names(5))

        for record in JournalOf(line).records():
            sink.send(batch_of([record]))

        kept = {path.name: path.read_text() for path in tmp_path.glob("s*")}
        assert ["s", "s.1", "s.2"] == sorted(kept)
        assert ["span-4", "span-3", "span-2"] == [only(kept[name]) for name in sorted(kept)]

    def test_a_disk_that_refuses_is_asked_again(self, line, tmp_path):
        line.take("one")

        delivery = SINKS.build("file", {"path": str(tmp_path)}).send(
            batch_of(JournalOf(line).records())
        )

        assert "retry" == delivery.outcome

    @pytest.mark.parametrize("wrong", [{"max_bytes": 0}, {"files": -1}])
    def test_names_the_option_that_is_wrong(self, wrong):
        with pytest.raises(ConfigError, match=rf"sinks\.file\.{next(iter(wrong))}"):
            make_sinks({"file": {"path": str(Path("x")), **wrong}})


def only(text):
    [line] = text.splitlines()
    return json.loads(line)["fields"]["name"]
