"""Nobody watches: what every figure is a difference to."""

from __future__ import annotations


def begin(_: int) -> None:
    """Start nothing."""


def called():
    """Give the function that all peers instrument."""

    def work(a, b=2):
        return a

    return work


def described():
    """Give the function whose arguments are kept."""

    def work(item, plan, share):
        return item

    return work


def awaited():
    """Give the coroutine function that all peers instrument."""

    async def work(a, b=2):
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


def labelled():
    """Add to nothing."""

    def add(method, status):
        return None

    return add


def bound():
    """Add to nothing."""

    def add():
        return None

    return add


def tracked(_):
    """Tell nobody."""


def wsgi(app):
    """Watch nothing."""
    return app


def inside(run):
    """Run it."""
    return run()


def caught(_):
    """Report to nobody."""


def asgi(app):
    """Watch nothing."""
    return app


def clients():
    """Watch nothing."""


def flush():
    """Send nothing."""
