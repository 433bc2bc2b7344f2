"""qmon beside OpenTelemetry's SDK: attached to its providers, it records what they record."""

from __future__ import annotations

import gc
import json
from weakref import ref

import pytest
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import qmon_sdk as qmon
from qmon_sdk import otel
from qmon_sdk.protocol.buckets import ACCURACY, quantile


class TestSpansOfTheSdk:
    @pytest.fixture
    def tracer(self, told):
        provider = TracerProvider(shutdown_on_exit=False)
        assert otel.attach(provider)
        yield provider.get_tracer("lib", "1")
        provider.shutdown()

    def test_become_ours_with_their_ids_and_times(self, told, tracer):
        with tracer.start_as_current_span("s", kind=SpanKind.CLIENT, attributes={"l": [1]}) as span:
            span.add_event("e", {"k": 1})
            span.set_status(StatusCode.ERROR, "no")

        row = told.span("s")
        assert f"{span.context.span_id:016x}" == row.span_id
        assert (span.start_time, span.end_time) == (row.time, row.time + row.duration_ns)
        assert ("client", "error", "[1]") == (row.kind, row.status, row.attributes["l"])
        assert "e" == json.loads(row.events)[0]["name"]

    def test_and_native_spans_are_each_others_parents(self, told, tracer):
        with tracer.start_as_current_span("a"), qmon.span("b"):
            tracer.start_span("c").end()

        ids = {row.name: row.span_id for row in told.spans}
        parents = {row.name: row.parent_id for row in told.spans}
        assert {"a": "", "b": ids["a"], "c": ids["b"]} == parents

    def test_make_one_error_of_an_exception_they_are_told_of(self, told, tracer):
        block = tracer.start_as_current_span
        with pytest.raises(LookupError), block("outer"), block("inner") as inner:
            raise LookupError("no such order")

        (error,) = told.all("error")
        assert ("LookupError", f"{inner.context.span_id:016x}") == (error.type, error.span_id)
        assert "test_otel_attach.py" in error.stack
        assert "exception" in [one["name"] for one in json.loads(told.span("inner").events)]

    def test_say_whether_somebody_handled_it(self, told, tracer):
        with tracer.start_as_current_span("s") as span:
            span.record_exception(ValueError("odd"), {"extra": 1}, None, False)
        with pytest.raises(KeyError), tracer.start_as_current_span("s"):
            raise KeyError
        with pytest.raises(OSError), tracer.start_span("s"):  # noqa: PT011 - any will do
            raise OSError

        errors = {error.type: error.handled for error in told.all("error")}
        assert {"ValueError": True, "KeyError": False, "OSError": False} == errors

    def test_go_when_nobody_holds_them(self, told, tracer):
        gc.collect()
        span = ref(tracer.start_span("s"))

        assert span() is None


class TestNumbersOfTheSdk:
    def test_become_points(self, told):
        provider = MeterProvider(shutdown_on_exit=False)
        otel.attach(provider)
        meter = provider.get_meter("lib")
        meter.create_counter("c", "1").add(2, {"k": "v"})
        meter.create_up_down_counter("u").add(-3)
        meter.create_observable_gauge("g", [lambda _: [Observation(1.5)]])
        for value in range(1, 1001):
            meter.create_histogram("h").record(value)

        found = {point.metric: point for point in told.all("point")}
        provider.shutdown()
        assert ("counter", 2.0, {"k": "v", "otel.scope.name": "lib"}) == (
            found["c"].kind,
            found["c"].value,
            found["c"].attributes,
        )
        assert [("gauge", -3.0), ("gauge", 1.5)] == [
            (found[name].kind, found[name].value) for name in "ug"
        ]
        assert (1000, 500500.0) == (found["h"].count, found["h"].value)
        assert 500 == pytest.approx(quantile(found["h"].buckets, 0.5), rel=2 * ACCURACY)

    def test_count_once(self, told):
        provider = MeterProvider(shutdown_on_exit=False)
        otel.attach(provider)
        counter = provider.get_meter("lib").create_counter("c")
        for _ in range(3):
            counter.add(1)
            qmon.flush()
        provider.shutdown()

        assert 3.0 == sum(point.value for point in told.all("point") if point.metric == "c")


class TestLinesOfTheSdk:
    def test_become_ours(self, told):
        provider = LoggerProvider(shutdown_on_exit=False)
        otel.attach(provider)
        provider.get_logger("lib", "1").emit(body="hello", attributes={"n": 1})
        provider.shutdown()

        (line,) = told.all("log")
        assert ("hello", "lib", "1") == (line.body, line.logger, line.attributes["n"])


class TestAttach:
    def test_says_what_it_cannot_be_attached_to(self, told):
        assert otel.attach(object()) is False


class TestSpanProcessorsOfTheSdk:
    def test_see_the_spans_of_our_provider(self, told):
        provider, exporter = otel.TracerProvider(), InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with provider.get_tracer("lib", "2").start_as_current_span("s", attributes={"a": [1]}):
            pass

        (seen,) = exporter.get_finished_spans()
        assert ("s", SpanKind.INTERNAL, {"a": (1,)}) == (seen.name, seen.kind, seen.attributes)
        assert ("lib", "2") == (seen.instrumentation_scope.name, seen.instrumentation_scope.version)
        assert "test" == seen.resource.attributes["service.name"]
        assert "s" == json.loads(seen.to_json())["name"]
        assert seen.start_time < seen.end_time

    def test_export_them_as_they_are(self, told):
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        provider, exporter = otel.TracerProvider(), InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with provider.get_tracer("lib").start_as_current_span("s") as span:
            span.add_event("e")

        encoded = encode_spans(exporter.get_finished_spans())
        (written,) = encoded.resource_spans[0].scope_spans[0].spans
        assert ("s", "e") == (written.name, written.events[0].name)

    def test_that_fail_are_counted(self, told):
        class Broken:
            def on_start(self, *_, **__):
                raise OSError("broken")

            on_end = shutdown = force_flush = on_start

        provider = otel.TracerProvider()
        provider.add_span_processor(Broken())
        with provider.get_tracer("t").start_as_current_span("s"):
            pass
        provider.shutdown()

        assert ["s"] == [row.name for row in told.spans]
        assert 1 == qmon.stats().trouble["Broken.on_end: OSError"]
