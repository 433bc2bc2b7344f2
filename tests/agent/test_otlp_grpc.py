"""OTLP over gRPC, by the unmodified exporter: the same as over HTTP."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from qmon_agent.ingest.sources.otlp_grpc import OtlpGrpcSource

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
BEARER = (("authorization", "Bearer secret"),)


@pytest.fixture
async def place(taking):
    source = OtlpGrpcSource(enabled=True, listen="127.0.0.1:0", max_body_bytes=100_000)
    await source.start(taking.door())
    yield source.describe()["listen"]
    await source.stop()


@pytest.fixture
async def call(place):
    """Sends bytes, and answers bytes or the error."""
    async with grpc.aio.insecure_channel(place) as channel:
        method = channel.unary_unary(EXPORT)

        async def call(body, metadata=BEARER):
            try:
                return await method(body, metadata=metadata, timeout=10)
            except grpc.aio.AioRpcError as error:
                return error

        yield call


class TestOtlpOverGrpc:
    async def test_is_kept_as_the_exporter_sends_it(self, taking, place):
        def program():
            exporter = OTLPSpanExporter(place, insecure=True, headers=BEARER)
            provider = TracerProvider(shutdown_on_exit=False)
            provider.add_span_processor(BatchSpanProcessor(exporter))
            for number in range(50):
                provider.get_tracer("shop").start_span(f"s{number}").end()
            provider.shutdown()

        await asyncio.to_thread(program)

        assert {f"s{number}" for number in range(50)} == {row.name for row in taking.rows()}

    @pytest.mark.parametrize("token", ["Bearer wrong", "Basic secret", ""])
    async def test_needs_a_token(self, call, token):
        answer = await call(b"", metadata=(("authorization", token),))

        assert grpc.StatusCode.UNAUTHENTICATED is answer.code()

    @pytest.mark.parametrize("token", ["Bearer secret", "secret"])
    async def test_takes_a_token_with_or_without_its_kind(self, call, token):
        assert b"" == await call(b"", metadata=(("authorization", token),))

    async def test_is_told_what_it_never_should_send_again(self, call):
        assert grpc.StatusCode.INVALID_ARGUMENT is (await call(b"\x0a\xff")).code()

    async def test_is_told_when_to_try_again(self, taking, call):
        await taking.committer.close()
        message = ExportTraceServiceRequest()
        spans = message.resource_spans.add().scope_spans.add().spans
        spans.add(trace_id=b"\1" * 16, span_id=b"\2" * 8)
        answer = await call(message.SerializeToString())

        details = dict(answer.trailing_metadata())["grpc-status-details-bin"]
        assert grpc.StatusCode.UNAVAILABLE is answer.code()
        assert b"google.rpc.RetryInfo" in details

    async def test_has_a_limit(self, call):
        assert grpc.StatusCode.RESOURCE_EXHAUSTED is (await call(b"x" * 100_001)).code()
