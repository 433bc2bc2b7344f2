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


def described():
    """Keep all arguments."""
    return qmon.instrument(record_args=True)(bare.described())


def awaited():
    """Instrument by decorator."""
    return qmon.instrument(bare.awaited())


def otel_block():
    """Have OpenTelemetry's API record with qmon."""
    from opentelemetry import trace

    from qmon_sdk import otel

    otel.install()
    return trace.get_tracer("bench").start_as_current_span


def labelled():
    """Count by the verb."""

    def add(method, status):
        qmon.count("requests", attributes={"method": method, "status": status})

    return add


def bound():
    """Bind first."""
    return qmon.count.bind("requests", attributes={"method": "GET", "status": "2xx"})


def tracked(properties):
    """Track."""
    qmon.track("order_paid", properties, user_id="ada")


def wsgi(app):
    """Wrap."""
    return qmon.wsgi(app)


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


def clients():
    """Watch `requests`, as `init` does by default."""
    from qmon_sdk.integrations import add

    add("requests")


def flush():
    """Wait until it is acknowledged, which means: on disk."""
    if not qmon.flush(10):
        raise TimeoutError(qmon.stats())


def books():
    """Say what became of everything."""
    return qmon.stats().as_dict()
