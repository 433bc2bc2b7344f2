"""Counters and product events."""

from __future__ import annotations

from . import each_of

ADDED = 20_000
EVENTS = 900  # between two flushes: the queue of one of the peers holds 10,000


@each_of(ADDED)
def counter(them):
    """Nanoseconds of CPU of adding one to a counter under two labels, named at each call."""
    add = them.labelled()

    def once():
        for n in range(ADDED):
            add("GET", "2xx" if n & 1 else "5xx")

    return once


@each_of(ADDED)
def bound(them):
    """Nanoseconds of CPU of adding one to a counter whose labels were named before."""
    add = them.bound()

    def once():
        for _ in range(ADDED):
            add()

    return once


@each_of(EVENTS)
def event(them):
    """Nanoseconds of CPU of a product event with five properties."""

    def once():
        for n in range(EVENTS):
            them.tracked(
                {"plan": "pro", "amount": n, "currency": "EUR", "first": True, "share": 0.5}
            )

    return once
