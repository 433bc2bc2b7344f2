"""Nobody watches: what every figure is a difference to."""

from __future__ import annotations


def begin(_: int) -> None:
    """Start nothing."""


def called():
    """Give the function that all peers instrument."""

    def work(a, b=2):
        return a

    return work


def otel_block():
    """Give a block that does nothing."""
    return _Block


class _Block:
    def __init__(self, name, attributes=None):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def inside(run):
    """Run it."""
    return run()


def caught(_):
    """Report to nobody."""


def asgi(app):
    """Watch nothing."""
    return app


def flush():
    """Send nothing."""
