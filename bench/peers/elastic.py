"""elastic-apm's client."""

from __future__ import annotations

import elasticapm

client = None


def begin(port):
    """Start with defaults, but for the server."""
    global client
    client = elasticapm.Client(
        service_name="bench",
        server_url=f"http://127.0.0.1:{port}",
        cloud_provider="none",
        central_config="false",
    )


def caught(_):
    """Capture."""
    client.capture_exception()


def flush():
    """Send what is queued."""
    client._transport.flush()
