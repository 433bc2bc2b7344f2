"""opentelemetry-sdk with the OTLP/HTTP exporter and the batch processor, as its guide has it."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from . import bare


def begin(port):
    """Start with defaults, but for the endpoint."""
    provider = TracerProvider(resource=Resource.create({"service.name": "bench"}))
    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{port}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def called():
    """Instrument by decorator."""
    return trace.get_tracer("bench").start_as_current_span("work")(bare.called())


def described():
    """Set attributes on a span."""
    tracer = trace.get_tracer("bench")

    def work(item, plan, share):
        with tracer.start_as_current_span(
            "work", attributes={"item": item, "plan": plan, "share": share}
        ):
            return item

    return work


def awaited():
    """Instrument by decorator."""
    return trace.get_tracer("bench").start_as_current_span("work")(bare.awaited())


def otel_block():
    """Have it record by itself."""
    return trace.get_tracer("bench").start_as_current_span


def wsgi(app):
    """Wrap, with the instrumentation package for WSGI."""
    from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

    return OpenTelemetryMiddleware(app)


def inside(run):
    """Run inside of a span."""
    with trace.get_tracer("bench").start_as_current_span("request"):
        return run()


def asgi(app):
    """Wrap, with the instrumentation package for ASGI."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    return OpenTelemetryMiddleware(app)


def clients():
    """Watch `requests`, with its instrumentation package."""
    from opentelemetry.instrumentation.requests import RequestsInstrumentor

    RequestsInstrumentor().instrument()


def flush():
    """Export what is queued."""
    trace.get_tracer_provider().force_flush()
