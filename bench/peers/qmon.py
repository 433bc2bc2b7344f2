"""qmon itself, with a real agent behind its socket."""

from __future__ import annotations

import qmon_sdk as qmon

from . import bare


def begin(_):
    """Start as a user does: one call, the agent found by its socket."""
    qmon.init(service="bench", integrations=())


def called():
    """Instrument by decorator."""
    return qmon.instrument(bare.called())


def otel_block():
    """Have OpenTelemetry's API record with qmon."""
    from opentelemetry import trace

    from qmon_sdk import otel

    otel.install()
    return trace.get_tracer("bench").start_as_current_span


def inside(run):
    """Run inside of a span."""
    with qmon.span("request"):
        return run()


def caught(error):
    """Capture."""
    qmon.capture_exception(error)


def asgi(app):
    """Wrap."""
    return qmon.asgi(app)


def flush():
    """Wait until it is acknowledged, which means: on disk."""
    if not qmon.flush(10):
        raise TimeoutError(qmon.stats())


def books():
    """Say what became of everything."""
    return qmon.stats().as_dict()
