"""OTLP by HTTP, at a whole agent: what is taken, what is not, and what a sender is told."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from qmon_agent.ingest.foreign import dropped_of
from qmon_agent.journal import JournalReader
from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.frames import decode_frame

SHOP = Resource(
    {
        "service.name": "shop",
        "service.version": "1.4",
        "deployment.environment.name": "test",
        "host.name": "here",
        "process.pid": 42,
        "service.instance.id": "one",
    }
)
PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def url(agent):
    return agent.ready["url"]


@pytest.fixture
async def shown(agent):
    """A header that shows a token which may send."""
    made = await agent.desk.create_token("ingest", name="test", ttl_s=60)
    return {"authorization": f"Bearer {made['token']}"}


@pytest.fixture
async def client(url, shown):
    async with httpx.AsyncClient(base_url=url, headers=shown) as client:
        yield client


def frames_of(agent):
    records = JournalReader(agent._plan.locations.journal).read(max_bytes=1 << 30)
    return [decode_frame(record.payload) for record in records]


def rows(agent, kind):
    blocks = [block for frame in frames_of(agent) for block in frame.blocks]
    return [row for block in blocks if block.kind == kind for row in rows_of(block)]


def a_span(**fields):
    usual = {"traceId": TRACE, "spanId": "b7ad6b7169203331", "name": "a", "startTimeUnixNano": "5"}
    return {**usual, **fields}


def traces(*spans):
    return {"resourceSpans": [{"scopeSpans": [{"spans": [*spans]}]}]}


class TestAnUnmodifiedSender:
    async def test_of_spans_finds_each_of_them_kept(self, agent, url, shown):
        def program():
            exporter = OTLPSpanExporter(
                f"{url}/v1/traces", headers=shown, compression=Compression.Gzip
            )
            provider = TracerProvider(resource=SHOP, shutdown_on_exit=False)
            provider.add_span_processor(BatchSpanProcessor(exporter))
            tracer = provider.get_tracer("shop.checkout", "2")
            for number in range(300):
                with tracer.start_as_current_span("charge", attributes={"n": number}):
                    pass
            provider.shutdown()

        await asyncio.to_thread(program)

        assert {str(n) for n in range(300)} == {row.attributes["n"] for row in rows(agent, "span")}
        assert {"shop"} == {frame.resource.service for frame in frames_of(agent)}

    async def test_of_an_exception_finds_an_error(self, agent, url, shown):
        def program():
            provider = TracerProvider(resource=SHOP, shutdown_on_exit=False)
            provider.add_span_processor(
                BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces", headers=shown))
            )
            tracer = provider.get_tracer("shop")
            with pytest.raises(ValueError, match="no"), tracer.start_as_current_span("charge"):
                raise ValueError("no plan")
            provider.shutdown()

        await asyncio.to_thread(program)

        (span,), (error,) = rows(agent, "span"), rows(agent, "error")
        assert ("error", span.span_id) == (span.status, error.span_id)
        assert ("ValueError", "no plan") == (error.type, error.message)
        assert "test_otlp_source.program" == error.culprit
        assert "program" == json.loads(error.stack)["chain"][0]["frames"][-1]["function"]

    async def test_of_numbers_finds_their_sums(self, agent, url, shown):
        def program():
            exporter = OTLPMetricExporter(f"{url}/v1/metrics", headers=shown)
            reader = PeriodicExportingMetricReader(exporter, export_interval_millis=1e9)
            provider = MeterProvider([reader], resource=SHOP, shutdown_on_exit=False)
            meter = provider.get_meter("shop")
            orders, size = meter.create_counter("orders"), meter.create_histogram("size", "By")
            for amount in (1, 2, 3):
                orders.add(amount, {"plan": "pro"})
                size.record(amount * 10)
                provider.force_flush()
            provider.shutdown()

        await asyncio.to_thread(program)

        points = rows(agent, "point")
        orders = [point for point in points if point.metric == "orders"]
        sizes = [point for point in points if point.metric == "size"]
        assert (6.0, {"counter"}) == (sum(p.value for p in orders), {p.kind for p in orders})
        assert (60.0, 3) == (sum(p.value for p in sizes), sum(p.count for p in sizes))
        assert 3 == sum(sum(point.buckets.values()) for point in sizes)

    @pytest.mark.filterwarnings("ignore:.LoggingHandler:DeprecationWarning")
    async def test_of_lines_finds_each_once_and_their_exceptions(self, agent, url, shown):
        def program():
            provider = LoggerProvider(resource=SHOP, shutdown_on_exit=False)
            exporter = OTLPLogExporter(f"{url}/v1/logs", headers=shown)
            provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
            logger = logging.Logger("shop.checkout")  # noqa: LOG001 - in no tree, so it ends here
            logger.addHandler(LoggingHandler(logger_provider=provider))
            logger.warning("low on %s", "stock")
            try:
                raise KeyError("plan")
            except KeyError:
                logger.exception("no plan")
            provider.shutdown()

        await asyncio.to_thread(program)

        lines, (error,) = rows(agent, "log"), rows(agent, "error")
        told = [(line.level, line.body, line.logger) for line in lines]
        assert [
            ("warn", "low on stock", "shop.checkout"),
            ("error", "no plan", "shop.checkout"),
        ] == told
        assert error.error_id == lines[1].attributes["error_id"]
        assert "KeyError" == error.type


class TestARequest:
    async def test_in_json_is_answered_in_json(self, agent, client):
        answer = await client.post("/v1/traces", json=traces(a_span()))

        assert (200, "application/json", {}) == (
            answer.status_code,
            answer.headers["content-type"],
            answer.json(),
        )
        assert ["a"] == [row.name for row in rows(agent, "span")]

    async def test_in_protobuf_is_answered_in_protobuf(self, client):
        body = ExportTraceServiceRequest().SerializeToString()
        answer = await client.post("/v1/traces", content=body, headers=PROTOBUF)

        assert (200, b"") == (answer.status_code, answer.content)
        assert PROTOBUF["content-type"] == answer.headers["content-type"]

    async def test_that_comes_again_is_kept_once(self, agent, client):
        for _ in range(2):
            await client.post("/v1/traces", json=traces(a_span()))

        assert 1 == len(rows(agent, "span"))

    async def test_of_which_a_part_is_wrong_is_kept_but_for_that(self, agent, client):
        answer = await client.post("/v1/traces", json=traces(a_span(), a_span(spanId="")))

        told = answer.json()["partialSuccess"]
        assert (200, "1") == (answer.status_code, told["rejectedSpans"])
        assert "valid trace or span id" in told["errorMessage"]
        assert 1 == len(rows(agent, "span"))
        assert {"span/invalid": 1} in [dropped_of(frame) for frame in frames_of(agent)]

    async def test_tells_in_protobuf_too_what_is_rejected(self, client):
        message = ExportTraceServiceRequest()
        message.resource_spans.add().scope_spans.add().spans.add(name="nobody's")
        body = message.SerializeToString()
        answer = await client.post("/v1/traces", content=body, headers=PROTOBUF)

        told = ExportTraceServiceResponse.FromString(answer.content).partial_success
        assert (1, True) == (told.rejected_spans, "span id" in told.error_message)

    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            (PROTOBUF, b"\x0a\xff"),
            (PROTOBUF, b"not protobuf"),
            (JSON, b"{"),
            (JSON, b'{"resourceSpans": 5}'),
            (JSON, b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 5.5}]}]}]}' * 2),
        ],
    )
    async def test_that_is_none_is_never_to_be_sent_again(self, agent, client, headers, body):
        answer = await client.post("/v1/traces", content=body, headers=headers)

        assert 400 == answer.status_code
        assert headers["content-type"] == answer.headers["content-type"]
        assert "retry-after" not in answer.headers
        assert [] == frames_of(agent)

    async def test_larger_than_the_limit_once_unpacked_is_refused(self, client):
        bomb = gzip.compress(b" " * (65 << 20), 9)
        headers = {**JSON, "content-encoding": "gzip"}
        answer = await client.post("/v1/traces", content=bomb, headers=headers)

        assert (413, 3) == (answer.status_code, answer.json()["code"])

    async def test_packed_by_zstd_is_taken_and_no_bomb_is(self, agent, client):
        zstandard = pytest.importorskip("zstandard")
        headers = {**JSON, "content-encoding": "zstd"}
        told = {}
        for body in (json.dumps(traces(a_span())).encode(), b" " * (65 << 20), b""):
            packed = zstandard.compress(body) if body else b"torn"
            answer = await client.post("/v1/traces", content=packed, headers=headers)
            told[len(body)] = answer.status_code

        assert ([200, 413, 400], 1) == ([*told.values()], len(rows(agent, "span")))

    async def test_larger_than_what_http_allows_is_taken(self, agent, client):
        text = {"key": "text", "value": {"stringValue": "x" * (1 << 20)}}
        spans = [a_span(attributes=[text]) for _ in range(17)]
        answer = await client.post("/v1/traces", json=traces(*spans))

        assert 200 == answer.status_code
        assert 17 == len(rows(agent, "span"))

    async def test_without_a_token_is_told_so_as_a_status(self, url):
        async with httpx.AsyncClient() as stranger:
            answer = await stranger.post(f"{url}/v1/traces", json={})

        assert (401, 16) == (answer.status_code, answer.json()["code"])

    async def test_for_profiles_is_told_that_there_are_none(self, client):
        answer = await client.post("/v1development/profiles", json={})

        assert (404, True) == (answer.status_code, "profiles" in answer.json()["message"])

    @pytest.mark.parametrize(("method", "status"), [("GET", 405), ("POST", 415)])
    async def test_of_another_kind_is_refused(self, client, method, status):
        headers = {"content-type": "text/plain"}
        answer = await client.request(method, "/v1/traces", headers=headers)

        assert status == answer.status_code

    async def test_of_a_page_elsewhere_is_answered_for_it(self, client):
        answer = await client.post("/v1/logs", json={}, headers={"origin": "https://shop.example"})

        assert "*" == answer.headers["access-control-allow-origin"]

    async def test_is_refused_for_a_while_when_too_much_is_under_way(self, agent, client):
        admission = agent.parts.taking.intake.admission
        admission.hold(1 << 40)
        answer = await client.post("/v1/traces", json=traces(a_span()))
        admission.release(1 << 40)

        assert (429, 8) == (answer.status_code, answer.json()["code"])
        assert 1 <= int(answer.headers["retry-after"])


class TestLogfire:
    async def test_is_told_where_it_is_by_its_bare_token(self, url, shown):
        bare = {"authorization": shown["authorization"].removeprefix("Bearer ")}
        async with httpx.AsyncClient(base_url=url, headers=bare) as client:
            answer = await client.get("/v1/info")

        assert "qmon" == answer.json()["project_name"]
