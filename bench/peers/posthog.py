"""posthog's error tracking."""

from __future__ import annotations

from posthog import Posthog

client = None


def begin(port):
    """Start with defaults, but for the host."""
    global client
    client = Posthog("key", host=f"http://127.0.0.1:{port}")


def caught(error):
    """Capture."""
    client.capture_exception(error)


def tracked(properties):
    """Capture."""
    client.capture("order_paid", distinct_id="ada", properties=properties)


def flush():
    """Send what is queued."""
    client.flush()
