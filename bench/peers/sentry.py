"""sentry-sdk with every trace sampled."""

from __future__ import annotations

import sentry_sdk

from . import bare


def begin(port):
    """Start with defaults, but for the DSN and the sampling."""
    sentry_sdk.init(dsn=f"http://public@127.0.0.1:{port}/1", traces_sample_rate=1.0)


def called():
    """Instrument by decorator."""
    return sentry_sdk.trace(bare.called())


def described():
    """Set data on a span."""

    def work(item, plan, share):
        with sentry_sdk.start_span(op="function", name="work") as span:
            span.set_data("item", item)
            span.set_data("plan", plan)
            span.set_data("share", share)
            return item

    return work


def awaited():
    """Instrument by decorator."""
    return sentry_sdk.trace(bare.awaited())


def wsgi(app):
    """Wrap."""
    from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware

    return SentryWsgiMiddleware(app)


def inside(run):
    """Run inside of a transaction."""
    with sentry_sdk.start_transaction(name="request", op="http.server"):
        return run()


def caught(error):
    """Capture."""
    sentry_sdk.capture_exception(error)


def asgi(app):
    """Wrap."""
    from sentry_sdk.integrations.asgi import SentryAsgiMiddleware

    return SentryAsgiMiddleware(app)


def clients():
    """It watches `http.client` from the start."""


def flush():
    """Send what is queued."""
    sentry_sdk.flush(10)
