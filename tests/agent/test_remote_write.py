"""Remote write: messages of both versions, whole and broken, become points exactly once."""

from __future__ import annotations

from struct import unpack

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.ingest.heaps import heap_of_parts
from qmon_agent.ingest.native_histograms import CUSTOM, NativeError, heap_of
from qmon_agent.ingest.remote_messages import (
    V1,
    V2,
    MessageError,
    message_class,
    unpacked,
)
from qmon_agent.ingest.remote_points import RemotePoints
from qmon_agent.ingest.remote_series import read_message
from qmon_agent.ingest.sources import SOURCES
from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.frames import decode_frame

(STALE,) = unpack(">d", bytes.fromhex("7ff0000000000002"))
HISTOGRAM = {
    "le=0.1": (1, 3, 4),
    "le=1": (2, 7, 9),
    "le=+Inf": (2, 8, 9),
    "sum": (1.5, 9.5, 20.0),
    "count": (2, 8, 9),
}
TYPES = {V1: "application/x-protobuf", V2: f"application/x-protobuf;proto={V2}"}


def v1(*series, metadata=()):
    """A message of 1.0: `(name{label="value"}, [(value, ms), …])` each."""
    request = message_class(V1)()
    for name, samples in series:
        one = request.timeseries.add()
        for key, value in labels_of(name):
            one.labels.add(name=key, value=value)
        for value, time in samples:
            one.samples.add(value=value, timestamp=time)
    for name, kind in metadata:
        request.metadata.add(metric_family_name=name, type=kind)
    return request


def v2(*series, kind=0, created=0):
    request = message_class(V2)()
    request.symbols.append("")
    for name, samples in series:
        one = request.timeseries.add(created_timestamp=created)
        for text in (part for pair in labels_of(name) for part in pair):
            request.symbols.append(text)
            one.labels_refs.append(len(request.symbols) - 1)
        one.metadata.type = kind
        for value, time in samples:
            one.samples.add(value=value, timestamp=time)
    return request


def labels_of(name):
    name, _, rest = name.partition("{")
    pairs = [pair.split("=", 1) for pair in rest.rstrip("}").split(",") if pair]
    return [("__name__", name), *((key, value) for key, value in pairs)]


def told(points, *requests, kind=V1):
    """What the last of some messages says, each of them kept."""
    for request in requests:
        result = points.translate(read_message(request.SerializeToString(), kind))
        points.commit()
    return result


def rows(result):
    return [point for group in result.points.values() for point in group]


@pytest.fixture
def points():
    return RemotePoints(1_000)


class TestNumbers:
    def test_that_count_are_told_as_growth(self, points):
        result = told(points, v1(("a_total{job=shop}", [(5, 1000), (8, 2000), (2, 3000)])))

        assert ["shop"] == list(result.points)
        assert [("counter", 3, 2000 * 10**6), ("counter", 2, 3000 * 10**6)] == [
            (one.kind, one.value, one.time) for one in rows(result)
        ]
        assert {"first_of_its_series_or_known": 1} == result.left_out

    def test_that_do_not_are_told_as_they_are(self, points):
        result = told(points, v1(("temperature{zone=eu}", [(5, 1000)])))

        assert [("gauge", 5, {"zone": "eu"})] == [
            (one.kind, one.value, one.attributes) for one in rows(result)
        ]

    def test_are_of_the_type_that_metadata_says(self, points):
        counting = v1(("jobs", [(5, 1000), (8, 2000)]), metadata=[("jobs", 1)])

        assert [("counter", 3)] == [(one.kind, one.value) for one in rows(told(points, counting))]

    def test_of_version_two_say_their_type_and_since_when(self, points):
        first = v2(("jobs", [(5, 1000)]), kind=1)
        again = v2(("jobs", [(9, 2000)]), kind=1, created=1500)

        assert [9] == [one.value for one in rows(told(points, first, again, kind=V2))]

    def test_come_twice_and_count_once(self, points):
        message = v1(("a_total", [(5, 1000), (8, 2000)]))

        assert [] == rows(told(points, message, message))

    def test_that_were_not_kept_are_told_again(self, points):
        told(points, v1(("a_total", [(5, 1000)])))
        message = read_message(v1(("a_total", [(8, 2000)])).SerializeToString(), V1)

        assert rows(points.translate(message)) == rows(points.translate(message)) != []

    def test_that_have_ended_go_on_from_where_they_were(self, points):
        result = told(points, v1(("a_total", [(5, 1000), (STALE, 2000), (9, 3000), (10, 4000)])))

        assert [4, 1] == [one.value for one in rows(result)]
        assert 1 == result.left_out["stale"]

    def test_that_are_none_are_left_out(self, points):
        result = told(points, v1(("a", [(float("nan"), 1), (float("inf"), 2), (1, 3)])))

        assert ([1.0], 2) == ([one.value for one in rows(result)], result.left_out["not_finite"])


class TestClassicHistograms:
    @staticmethod
    def message(*parts, times=(0, 1)):
        def series(part):
            samples = [(HISTOGRAM[part][n], 1000 * (n + 1)) for n in times]
            le = part.startswith("le")
            return (
                f"wait_bucket{{job=shop,{part}}}" if le else f"wait_{part}{{job=shop}}",
                samples,
            )

        return v1(*(series(part) for part in parts or HISTOGRAM))

    def test_are_put_together(self, points):
        (point,) = rows(told(points, self.message()))

        assert ("wait", "distribution", 8, 6) == (
            point.metric,
            point.kind,
            point.value,
            point.count,
        )
        assert (0.0, 1.0) == (point.minimum, point.maximum)
        assert {} == point.attributes

    def test_are_put_together_from_several_messages(self, points):
        told(points, self.message(times=(0,)))
        first = told(points, self.message("le=0.1", "le=1", times=(1,)))
        second = told(points, self.message("le=+Inf", "sum", "count", times=(1,)))

        assert ([], [6]) == (rows(first), [one.count for one in rows(second)])

    def test_of_which_a_part_is_missing_are_told_later(self, points):
        told(points, self.message(times=(0,)), self.message("le=0.1", times=(1,)))

        assert [7] == [one.count for one in rows(told(points, self.message(times=(2,))))]


class TestNativeHistograms:
    @staticmethod
    def request(*counts, **fields):
        request = message_class(V1)()
        one = request.timeseries.add()
        one.labels.add(name="__name__", value="wait")
        for n, count in enumerate(counts):
            histogram = one.histograms.add(timestamp=1000 * (n + 1), sum=float(n), **fields)
            histogram.positive_spans.add(offset=0, length=2)
            histogram.positive_deltas.extend([count, 0])
            histogram.zero_count_int = count
        return request

    def test_become_buckets_of_ours(self, points):
        result = told(points, self.request(1, 4))

        (point,) = rows(result)
        assert (9, 2, 1.0) == (point.count, result.histograms, point.value)
        assert (0.0, 2.0) == (point.minimum, point.maximum)

    def test_that_began_again_are_told_whole(self, points):
        assert [3] == [one.count for one in rows(told(points, self.request(4, 1)))]

    def test_that_are_gauges_are_told_as_they_are(self, points):
        result = told(points, self.request(4, 1, reset_hint=3))

        assert [12, 3] == [one.count for one in rows(result)]

    def test_may_have_bounds_of_their_own(self):
        histogram = self.request(2).timeseries[0].histograms[0]
        histogram.schema = CUSTOM
        histogram.custom_values.extend([1.0])

        parts = {(float("-inf"), 1.0): 2, (1.0, float("inf")): 2}
        assert heap_of_parts(parts, total=0.0) == heap_of(histogram)

    @pytest.mark.parametrize(
        ("field", "value"), [("schema", 9), ("schema", CUSTOM), ("positive_deltas", [1])]
    )
    def test_that_cannot_be_are_refused(self, field, value):
        histogram = self.request(2).timeseries[0].histograms[0]
        if isinstance(value, list):
            del histogram.positive_deltas[:]
            histogram.positive_deltas.extend(value)
        else:
            setattr(histogram, field, value)

        with pytest.raises(NativeError):
            heap_of(histogram)

    def test_of_endless_spans_are_refused_before_they_are_counted(self):
        histogram = self.request(2).timeseries[0].histograms[0]
        histogram.positive_spans.add(offset=0, length=1 << 31)

        with pytest.raises(NativeError, match="too many"):
            heap_of(histogram)


class TestBytes:
    def test_that_would_unpack_to_too_much_are_not_unpacked(self):
        bomb = b"\xff\xff\xff\xff\x0f" + b"\x00" * 10

        with pytest.raises(MessageError) as refused:
            unpacked(bomb, most=1 << 20)
        assert 413 == refused.value.status

    @given(st.binary(max_size=100))
    def test_of_any_kind_are_read_or_refused(self, data):
        for kind in (V1, V2):
            try:
                message = read_message(unpacked(data, most=1 << 16), kind)
            except MessageError:
                continue
            RemotePoints(10).translate(message)

    @given(st.binary(max_size=100))
    def test_that_are_packed_well_are_read_or_refused(self, data):
        for kind in (V1, V2):
            try:
                RemotePoints(10).translate(read_message(data, kind))
            except MessageError:
                continue

    @given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(0, 19))
    def test_in_any_number_of_messages_tell_the_same_growth(self, steps, cut):
        samples, value = [], 0
        for n, step in enumerate(steps):
            value += step
            samples.append((value, n + 1))
        points = RemotePoints(10)
        grown = 0
        for part in (samples[:cut], samples[cut:]):
            grown += sum(row.value for row in rows(told(points, v1(("a_total", part)))))

        assert grown == sum(steps[1:])


class TestSource:
    @pytest.fixture
    async def posted(self, taking):
        source = SOURCES.build("remote_write", {})
        await source.start(taking.door())

        async def post(request, kind=V1, **headers):
            body = request if isinstance(request, bytes) else request.SerializeToString()
            packed = bytes(cramjam.snappy.compress_raw(body))
            usual = {"content-type": TYPES[kind], "content-encoding": "snappy"}
            return await answered(source, packed, {**usual, **headers})

        yield post
        await source.stop()

    async def test_keeps_what_it_answers_well(self, posted, taking):
        status, headers, _ = await posted(v1(("a{job=shop}", [(1, 1000), (2, 2000)])))

        (frame,) = (decode_frame(record.payload) for record in taking.records())
        assert (204, "2") == (status, headers["x-prometheus-remote-write-samples-written"])
        assert ("shop", [1.0, 2.0]) == (
            frame.resource.service,
            [row.value for row in rows_of(frame.blocks[0])],
        )

    async def test_keeps_a_message_once_however_often_it_comes(self, posted, taking):
        for _ in range(3):
            assert 204 == (await posted(v2(("a", [(1, 1000)])), V2))[0]

        assert 1 == len([*taking.records()])

    async def test_keeps_the_good_part_and_says_what_is_wrong(self, posted, taking):
        request = v1(("a", [(1, 1000)]), ("", [(1, 1000)]), ("b", [(1, -5)]))

        status, headers, text = await posted(request)

        assert (400, "1") == (status, headers["x-prometheus-remote-write-samples-written"])
        assert "without a name" in text
        assert 1 == len([*taking.records()])

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"content-type": "application/json"}, 415),
            ({"content-type": "application/x-protobuf;proto=other"}, 415),
            ({"content-encoding": "gzip"}, 415),
        ],
    )
    async def test_refuses_what_it_does_not_speak(self, posted, headers, status):
        assert status == (await posted(v1(), **headers))[0]

    async def test_refuses_garbage_for_good(self, posted):
        assert 400 == (await posted(b"\xff" * 40))[0]

    async def test_has_it_sent_again_when_it_could_not_be_kept(self, posted, taking):
        await taking.committer.close()

        status, headers, _ = await posted(v1(("a", [(1, 1000)])))

        assert (503, "1") == (status, headers["retry-after"])

    async def test_has_it_sent_again_when_there_is_no_room(self, posted, taking):
        taking.admission.hold(1 << 30)

        assert 503 == (await posted(v1(("a", [(1, 1000)]))))[0]

    @pytest.mark.parametrize(("gate", "told"), [(429, 503), (408, 503), (413, 413), (401, 401)])
    def test_is_told_by_the_gate_what_a_prometheus_repeats(self, gate, told):
        worded = SOURCES.find("remote_write").entrance.refusal_of

        assert (told, b"why") == worded({}, gate, "why")[::2]


async def answered(app, body, headers):
    """Status, headers and text of an ASGI application."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await app({"type": "http", "headers": raw, "client": ("127.0.0.1", 1)}, receive, send)
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, sent[1]["body"].decode()
