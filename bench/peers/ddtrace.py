"""ddtrace, tracing only, with its agent at the sink."""

from __future__ import annotations

import os

from . import bare


def begin(port):
    """Start with defaults, but for the agent's address and what is not tracing."""
    os.environ["DD_TRACE_AGENT_URL"] = f"http://127.0.0.1:{port}"
    os.environ["DD_INSTRUMENTATION_TELEMETRY_ENABLED"] = "false"
    os.environ["DD_REMOTE_CONFIGURATION_ENABLED"] = "false"
    os.environ["DD_SERVICE"] = "bench"
    from ddtrace.trace import tracer

    globals()["tracer"] = tracer


def called():
    """Instrument by decorator."""
    return tracer.wrap("work")(bare.called())  # noqa: F821 - `begin` imports it


def described():
    """Set tags on a span."""

    def work(item, plan, share):
        with tracer.trace("work") as span:  # noqa: F821 - see above
            span.set_tag("item", item)
            span.set_tag("plan", plan)
            span.set_tag("share", share)
            return item

    return work


def awaited():
    """Instrument by decorator."""
    return tracer.wrap("work")(bare.awaited())  # noqa: F821 - see above


def wsgi(app):
    """Wrap."""
    from ddtrace.contrib.wsgi import DDWSGIMiddleware

    return DDWSGIMiddleware(app)


def inside(run):
    """Run inside of a span."""
    with tracer.trace("request"):  # noqa: F821 - see above
        return run()


def asgi(app):
    """Wrap."""
    from ddtrace.contrib.asgi import TraceMiddleware

    return TraceMiddleware(app)


def clients():
    """Patch `requests`."""
    from ddtrace import patch

    patch(requests=True)


def flush():
    """Send what is queued."""
    tracer.flush()  # noqa: F821 - see above
