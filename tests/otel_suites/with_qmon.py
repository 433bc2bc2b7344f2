"""A pytest plug-in: the suites of OpenTelemetry's instrumentations, with qmon's tracer provider.

`pytest -p with_qmon` in the folder of a suite. All that is changed is who makes the tracer provider
of a test; its spans are read as those of the SDK are, by a span processor with an exporter.
"""

from __future__ import annotations

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.test.test_base import TestBase

import qmon_sdk as qmon
from qmon_sdk.otel import TracerProvider


def create_tracer_provider(*, resource=None, **unknown):
    """Make what `TestBase.create_tracer_provider` makes."""
    assert not unknown, f"qmon's provider has no {sorted(unknown)}"
    provider, exporter = TracerProvider(resource=resource), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


def pytest_configure():
    qmon.init(service="suites", dsn="memory:", integrations=())
    TestBase.create_tracer_provider = staticmethod(create_tracer_provider)


def pytest_terminal_summary(terminalreporter):
    """Show that qmon was there, and that nothing failed inside."""
    qmon.flush()
    stats = qmon.stats()
    terminalreporter.line(f"qmon: {stats.captured.get('span', 0)} spans, trouble {stats.trouble}")
