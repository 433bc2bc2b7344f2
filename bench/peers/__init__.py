"""Peers: one file each, which begins as its users begin, and records as they record.

A peer offers what it can of these; a case asks only those that have it.

- `begin(port)`: start, sending to the sink on `port` (qmon: to the agent's socket).
- `called()`: an instrumented function of two arguments.
- `described()`: the same of three arguments, which become attributes.
- `awaited()`: an instrumented coroutine function of two arguments.
- `otel_block()`: what `with` takes for a span by OpenTelemetry's API.
- `labelled()`, `bound()`: what adds one to a counter, of two labels and of none.
- `tracked(properties)`: note a product event.
- `inside(run)`: run something inside of an open request or transaction.
- `caught(error)`: report a handled exception.
- `asgi(app)`, `wsgi(app)`: an application, watched.
- `clients()`: from now on, watch requests that are sent.
- `flush()`: block until everything recorded has been sent.
"""

from __future__ import annotations

from importlib import import_module

NAMES = ("qmon", "opentelemetry", "sentry", "ddtrace", "elastic", "posthog", "prometheus", "bare")


def peer(name):
    """Import a peer by its name."""
    return import_module(f"bench.peers.{name}")
