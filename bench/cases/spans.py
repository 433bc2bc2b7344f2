"""Spans: calls, coroutines, attributes, OpenTelemetry's API."""

from __future__ import annotations

from . import BURST, each_inside


@each_inside
def call(them):
    """One instrumented call, inside of a request; bare calls included."""
    work = them.called()

    def run():
        for n in range(BURST):
            work(n)

    return run


@each_inside
def attributes(them):
    """The same with three attributes: one always another, one of few, one the same."""
    work = them.described()

    def run():
        for n in range(BURST):
            work(n, "pro" if n & 1 else "free", 0.5)

    return run


@each_inside
def coroutine(them):
    """One instrumented coroutine that does not wait, driven by hand as a loop drives it."""
    work = them.awaited()

    async def calls():
        for n in range(BURST):
            await work(n)

    def run():
        try:
            calls().send(None)
        except StopIteration:
            return

    return run


@each_inside
def otel_span(them):
    """One span through OpenTelemetry's API, inside of another."""
    block = them.otel_block()

    def run():
        for _ in range(BURST):
            with block("work"):
                pass

    return run


@each_inside
def otel_attributes(them):
    """The same with three attributes, one of them always another."""
    block = them.otel_block()

    def run():
        for n in range(BURST):
            with block("work", attributes={"item": n, "plan": "pro", "share": 0.5}):
                pass

    return run
