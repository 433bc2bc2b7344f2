"""Whether the accelerator gives back what it takes: `nox -s leaks`, by itself and under valgrind.

Each scene is played again and again. What is alive in between, as blocks of the interpreter's
memory and as pages of the system's, must not grow with the number of rounds.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

import qmon_sdk as qmon
from qmon_sdk.accelerator import speedups
from qmon_sdk.fold import Family
from qmon_sdk.protocol.columns import WRITERS
from qmon_sdk.series import KINDS, Series
from qmon_sdk.transports.memory import MemoryTransport

SHORT = "short" in sys.argv[1:]
ROUNDS, TIMES = (2, 20) if SHORT else (6, 2000)
WARM = 1 if SHORT else 3
ALLOWED = 400  # blocks for all rounds after the first: caches of the interpreter's own
PAGES = 2 << 20  # bytes the process may have grown by, of one leaked block of 64 bytes a time


class Hostile:
    """Fails wherever it is looked at."""

    def __float__(self):
        raise RuntimeError

    __str__ = __repr__ = __hash__ = __bool__ = __float__


@qmon.instrument
def plain(value, *, fails=False):
    return 1 / 0 if fails else value


@qmon.instrument(record_args=True, record_return=True)
def kept(value):
    return value


@qmon.instrument(sample_rate=0.5)
def sampled(value):
    return value


@qmon.instrument
async def waiting(value):
    await asyncio.sleep(0)
    return plain(value)


def calls():
    """Calls that return, that fail, that keep, that are left out."""
    plain(1)
    kept("text")
    sampled(2)
    for wrong in ({"fails": True}, {"none": 1}):
        try:
            plain(1, **wrong)
        except (ZeroDivisionError, TypeError):
            continue


def said():
    """Calls that more is said about."""
    with qmon.span("by hand", a=1) as span:
        span.set_attribute("b", "c")
        plain(1)
        qmon.current_span().set_attribute("d", 2)


def coroutines():
    """Coroutines that end, that fail to start, that are thrown away, that are never begun."""
    asyncio.run(waiting(1))
    coroutine = waiting(2)
    try:
        coroutine.send(None)
        coroutine.throw(KeyError)
    except KeyError:
        pass
    abandoned = waiting(3)
    abandoned.send(None)
    abandoned.close()
    waiting(4).close()


def wrappers():
    """Wrappers made, called, looked at and let go, in circles too."""

    def inner(n):
        return outer(n - 1) if n else 0

    outer = qmon.instrument(inner)
    outer.attribute = outer
    assert outer(3) == 0
    assert repr(outer)
    assert outer.__get__(3)


def series():
    """Values of every sort in series of every kind."""
    for kind in KINDS:
        one = Series(kind, "leak")
        one.begin(int)
        for value in (1, 2.5, True, 10**400, "3", None, Hostile(), float("nan")):
            one.add(value)
        for value in range(1200):
            one.add(value)
        one.take()


NUMBERS = count()


class Fold:
    """Opens a series for everything."""

    @staticmethod
    def find(*_, **__):
        return Series("counter", "leak"), True


def families():
    """Labels that are known, new, and impossible."""
    family = Family("counter", Fold())
    family.add("a", 1, attributes={"b": "c"})
    family.add("a", 2, attributes={"b": next(NUMBERS)})
    for wrong in ({"attributes": {"b": []}}, {"attributes": {"b": Hostile()}}, {"c": 1}):
        try:
            family.add("a", 3, **wrong)
        except (TypeError, RuntimeError):
            continue


COLUMNS = {
    "Word": [("a", "b", "a", "a", "b"), ("a", "a"), ("a", None), ("a", "b", "c")],
    "Labels": [({"a": "b"}, {"c": "d"}), ({}, {}), ({"a": 1}, {})],
    "Time": [(1, 2), (1, 1), (1, 1 << 70), (True, 2)],
    "Number": [(1.0, 2.0), (1.0, 1.0), (1, 2.5), ("x", 1.0)],
    "Flag": [(True, False), (True, True), (1, False)],
    "Buckets": [({1: 2}, {3: 4}), ({}, {}), ({1 << 40: 1}, {})],
}


def verbs():
    """Verbs that are understood, that are not, and whose labels are new."""
    qmon.count("leak", attributes={"a": "b"})
    qmon.gauge("leak", 2.5)
    qmon.distribution("leak", unit="s", value=1)
    for wrong in (((), {}), (("leak", 1, 2), {}), (("leak",), {"labels": 1})):
        try:
            qmon.count(*wrong[0], **wrong[1])
        except TypeError:
            continue


def columns():
    """Columns of plain values, and of others."""
    for role, examples in COLUMNS.items():
        for values in examples:
            try:
                WRITERS[role](values)
            except (TypeError, OverflowError):
                continue


def signals():
    """Events, lines and errors with attributes of every sort, and spans that have them."""
    for value in (1, 2.5, True, None, "text", "x" * 300, "\ud800", next(NUMBERS), [1], Hostile()):
        qmon.track("event", {"a": value, 3: "b"}, groups={"c": "d"})
        qmon.log.info("line {a}", a=value, password=value)
        kept(value)
    try:
        plain(1, fails=True)
    except ZeroDivisionError as error:
        qmon.capture_exception(error, attributes={"a": 1})


def events():
    """Events that are plain, and that are not."""
    for value in (True, 1 << 70, 4111111111111111, "text", Hostile()):
        qmon.track("paid", {"a": value, "password": "b"}, user_id="ada")


SCENES = (calls, said, coroutines, wrappers, series, families, verbs, columns, signals, events)


def growth_of(scene, times, told):
    """Play a scene, and say by how many blocks and bytes the process grew after warming up."""
    blocks, pages = [], []
    for _ in range(WARM + ROUNDS):
        for _ in range(times):
            scene()
        qmon.flush()
        told.messages.clear()
        gc.collect()
        blocks.append(sys.getallocatedblocks())
        pages.append(resident())
    return blocks[-1] - blocks[WARM], pages[-1] - pages[WARM]


def resident():
    """Read the bytes that are in memory; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


def main():
    """Answer with how many scenes leak."""
    if speedups is None:
        print("the accelerator is not compiled: nothing to look at")
        return 1
    told, leaks = MemoryTransport(), 0
    qmon.init(transport=told, integrations=(), spool_dir=mkdtemp(), flight_dir=mkdtemp())
    for scene in SCENES:
        times = TIMES if scene in {calls, columns, families, verbs} else max(TIMES // 10, 5)
        blocks, grown = growth_of(scene, times, told)
        leaked = not SHORT and (blocks > ALLOWED or grown > PAGES)
        leaks += leaked
        print(f"{scene.__name__:12} {blocks:+8} blocks {grown // 1024:+8} KiB {'LEAKS' * leaked}")
    qmon.shutdown()
    return leaks


if __name__ == "__main__":
    sys.exit(main())
