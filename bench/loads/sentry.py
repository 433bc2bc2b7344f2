"""Errors as sentry-sdk sends them, an envelope each, gzip as it has it by default."""

from __future__ import annotations

import gzip
from uuid import uuid4

import sentry_sdk
from sentry_sdk.transport import Transport

from .posting import post_all

DEPTH = 10
REAL = 200  # raised and caught; the others are these with ids of their own


def make(options):
    """`count` errors to `url`."""
    kept = Kept()
    sentry_sdk.init(
        dsn="http://key@127.0.0.1:1/1", transport=kept, release="1.4.2", environment="production"
    )
    for number in range(REAL):
        sentry_sdk.set_user({"id": f"u{number % 50}"})
        sentry_sdk.set_tag("tenant", f"t{number % 7}")
        sentry_sdk.add_breadcrumb(message=f"asked for order {number}", category="query")
        try:
            _deeper(DEPTH, number, {"order": number, "lines": [*range(5)]})
        except ValueError as problem:
            sentry_sdk.capture_exception(problem)
    bodies = [_anew(*kept.envelopes[n % REAL]) for n in range(options["count"])]
    headers = {
        "content-type": "application/x-sentry-envelope",
        "content-encoding": "gzip",
        **options.get("headers", {}),
    }
    sent = {"sent": len(bodies), "bytes": sum(map(len, bodies))}
    return lambda: {**sent, **post_all(options["url"], bodies, headers)}


class Kept(Transport):
    """Keeps envelopes."""

    def __init__(self):
        super().__init__()
        self.envelopes = []

    def capture_envelope(self, envelope):
        if envelope.headers.get("event_id"):
            self.envelopes.append((envelope.headers["event_id"], envelope.serialize()))


def _anew(event_id, body):
    return gzip.compress(body.replace(event_id.encode(), uuid4().hex.encode()), 6)


def _deeper(depth, number, order):
    total = sum(order["lines"]) * number
    name = f"customer {number}"
    if depth > 1:
        return _deeper(depth - 1, number, {**order, "depth": depth, "total": total})
    message = f"order {number} of {name} has no price"
    raise ValueError(message)
