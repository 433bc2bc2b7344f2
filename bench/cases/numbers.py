"""Counters and product events."""

from __future__ import annotations

from bench.peers import peer

from . import cpu

ADDED = 20_000
EVENTS = 900  # between two flushes: the queue of one of the peers holds 10,000


def counter(name, port, bursts):
    """Nanoseconds of CPU of adding one to a counter under two labels, named at each call."""
    them = peer(name)
    them.begin(port)
    add = them.labelled()

    def once():
        for n in range(ADDED):
            add("GET", "2xx" if n & 1 else "5xx")

    return cpu(once, them.flush, bursts) / ADDED


def bound(name, port, bursts):
    """Nanoseconds of CPU of adding one to a counter whose labels were named before."""
    them = peer(name)
    them.begin(port)
    add = them.bound()

    def once():
        for _ in range(ADDED):
            add()

    return cpu(once, them.flush, bursts) / ADDED


def event(name, port, bursts):
    """Nanoseconds of CPU of a product event with five properties."""
    them = peer(name)
    them.begin(port)

    def once():
        for n in range(EVENTS):
            them.tracked(
                {"plan": "pro", "amount": n, "currency": "EUR", "first": True, "share": 0.5}
            )

    return cpu(once, them.flush, bursts) / EVENTS
