"""What came by OTLP and leaves by OTLP: the same bytes, once."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from qmon_agent.forward.batch import Batch
from qmon_agent.forward.otlp.requests import LANES, rejected_by, requests_of
from qmon_agent.ingest.foreign import Parcel, take_parcel
from qmon_sdk.protocol.frames import Resource, decode_frame
from qmon_sdk.protocol.signals import Log, Span

SPAN = Span(time=5, name="a", trace_id="ab" * 16, span_id="cd" * 8)
CAME = {"path": "traces", "content_type": "application/json", "original": b'{"as": "it came"}'}


def a_parcel(protocol="otlp", **changes):
    groups = ((Resource(service="shop"), [SPAN, Log(body="b")]),)
    usual = {**CAME, "groups": groups, "keep_original": True}
    return Parcel(protocol=protocol, **{**usual, **changes})


@pytest.fixture
def leaving(taking):
    """The requests that become of a parcel."""

    async def requests(parcel):
        await take_parcel(taking.intake, parcel, taking.peer)
        frames = tuple(decode_frame(record.payload) for record in taking.records())
        return [*requests_of(Batch(id="b", frames=frames))]

    return requests


class TestWhatCameByOtlp:
    async def test_leaves_as_it_came_and_is_not_written_anew(self, leaving):
        [request] = await leaving(a_parcel())

        assert (CAME["original"], CAME["content_type"]) == (request.body, request.content_type)
        assert ("v1/traces", 2, "b-1") == (request.lane.path, request.rows, request.key)

    @pytest.mark.parametrize(
        "change",
        [{"protocol": "sentry"}, {"keep_original": False}, {"original": b"x" * (5 << 20)}],
    )
    async def test_is_written_anew_where_its_bytes_were_not_kept(self, leaving, change):
        requests = await leaving(a_parcel(**change))

        assert {"v1/traces", "v1/logs"} == {request.lane.path for request in requests}
        assert {"application/x-protobuf"} == {request.content_type for request in requests}

    async def test_says_which_threshold_it_has_passed(self, leaving):
        span = SPAN.replace(attributes={"otel.trace_state": "ot=th:c"})
        groups = ((Resource(service="shop"), [span]),)

        [request] = await leaving(a_parcel(keep_original=False, groups=groups))

        told = ExportTraceServiceRequest.FromString(request.body).resource_spans[0]
        assert "ot=th:c" == told.scope_spans[0].spans[0].trace_state


class TestAnswersInJson:
    def test_tell_what_is_rejected(self):
        said = b'{"partialSuccess": {"rejectedSpans": "3", "errorMessage": "no"}}'

        assert (3, "no") == rejected_by(LANES[0], said)

    @pytest.mark.parametrize("said", [b"{}", b"{", b'{"partialSuccess": 5}'])
    def test_tell_of_nothing_else(self, said):
        assert (0, "") == rejected_by(LANES[0], said)
