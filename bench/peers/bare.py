"""Nobody watches: what every figure is a difference to."""

from __future__ import annotations


def begin(_: int) -> None:
    """Start nothing."""


def called():
    """Give the function that all peers instrument."""

    def work(a, b=2):
        return a

    return work


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
