"""Spans: calls, coroutines, attributes, OpenTelemetry's API."""

from __future__ import annotations

from bench.peers import peer

from . import BURST, inside


def call(name, port, bursts):
    """One instrumented call, inside of a request; bare calls included."""
    them = peer(name)
    them.begin(port)
    work = them.called()

    def run():
        for n in range(BURST):
            work(n)

    return inside(them, run, bursts)


def attributes(name, port, bursts):
    """The same with three attributes: one always another, one of few, one the same."""
    them = peer(name)
    them.begin(port)
    work = them.described()

    def run():
        for n in range(BURST):
            work(n, "pro" if n & 1 else "free", 0.5)

    return inside(them, run, bursts)


def coroutine(name, port, bursts):
    """One instrumented coroutine that does not wait, driven by hand as a loop drives it."""
    them = peer(name)
    them.begin(port)
    work = them.awaited()

    async def calls():
        for n in range(BURST):
            await work(n)

    def run():
        try:
            calls().send(None)
        except StopIteration:
            return

    return inside(them, run, bursts)


def otel_span(name, port, bursts):
    """One span through OpenTelemetry's API, inside of another."""
    them = peer(name)
    them.begin(port)
    block = them.otel_block()

    def run():
        for _ in range(BURST):
            with block("work"):
                pass

    return inside(them, run, bursts)


def otel_attributes(name, port, bursts):
    """The same with three attributes, one of them always another."""
    them = peer(name)
    them.begin(port)
    block = them.otel_block()

    def run():
        for n in range(BURST):
            with block("work", attributes={"item": n, "plan": "pro", "share": 0.5}):
                pass

    return inside(them, run, bursts)
