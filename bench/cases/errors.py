"""Exceptions of ten frames: of a path that was told before, and of paths that are new."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from . import begun, each_of

ERRORS = 80  # between two flushes: some queue 100 at most
NEW_PATHS = 16  # a second, each told in full: what we allow ourselves is 50 tellings
FOLDER = TemporaryDirectory(prefix="qmon-bench-")
SOURCE = """
def sink_in(depth):
    order, user = {"id": 17, "items": ["a", "b"]}, "ada"
    if depth:
        return sink_in(depth - 1)
    raise LookupError(f"no such order: {order['id']} {user}")
"""


@each_of(ERRORS)
def seen(them):
    """Nanoseconds of CPU of reporting an exception of ten frames that was seen before."""
    sink_in = _path("seen")

    def once():
        for _ in range(ERRORS):
            _report(them, sink_in)

    return once


def full(name, port, bursts):
    """Nanoseconds of CPU of reporting one for the first time, with source and local variables."""
    them = begun(name, port)
    _report(them, _path("warm"))
    them.flush()
    spent = 0
    for burst in range(bursts):
        paths = [_path(f"path_{burst}_{n}") for n in range(NEW_PATHS)]
        time.sleep(1 - time.time() % 1)  # nobody's limit of tellings a second is to count
        before = time.process_time_ns()
        for sink_in in paths:
            _report(them, sink_in)
        them.flush()
        spent += time.process_time_ns() - before
    return spent / (bursts * NEW_PATHS)


def _report(them, sink_in):
    try:
        sink_in(9)
    except LookupError as error:
        them.caught(error)


def _path(name):
    """Make a function in a file of its own, as a path that nobody has met."""
    file = Path(FOLDER.name) / f"{name}.py"
    file.write_text(SOURCE, encoding="utf-8")
    space = {"__name__": f"shop.{name}", "__file__": str(file)}
    exec(compile(SOURCE, str(file), "exec"), space)
    return space["sink_in"]
