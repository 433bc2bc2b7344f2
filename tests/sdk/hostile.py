"""Objects that do to those who look at them whatever an object can."""

from __future__ import annotations

import time

NAMES = ("repr", "str", "eq", "hash", "len", "iter", "format", "bool", "getattr", "class")
SLEEP_S = 8
"""Far longer than any test may take."""


def fails(*_):
    raise RuntimeError("hostile")


def blocks(*_):
    time.sleep(SLEEP_S)


def recurses(self, *_):
    return _again(self)


def _again(self):  # CPython 3.13.0 finds no end to one that takes `*_`
    return _again(self)


def exits(*_):
    raise SystemExit(3)


DEEDS = (fails, blocks, recurses, exits)


def hostile(deed):
    """Make an object whose every special method does the same deed."""
    methods = {f"__{name}__": deed for name in NAMES if name not in {"getattr", "class"}}
    methods |= {"__getattr__": deed, "__getattribute__": deed, "__class__": property(deed)}
    methods |= {"__float__": deed, "__int__": deed, "__index__": deed, "__lt__": deed}
    methods |= {"__contains__": deed, "__getitem__": deed, "__next__": deed, "__call__": deed}
    return type("Hostile", (), methods)()


def hostile_child(parent, deed):
    """Make an instance of a built-in class that behaves no better."""
    methods = {
        f"__{name}__": deed for name in ("repr", "str", "eq", "len", "iter", "format", "bool")
    }
    methods |= {"__getattribute__": deed, "__getitem__": deed, "items": deed, "keys": deed}
    methods |= {"__hash__": parent.__hash__}
    return type("Hostile", (parent,), methods)


def recursive():
    """Make containers that hold themselves, and each other."""
    table, row = {}, []
    table["self"], table["row"] = table, row
    row += [row, table]
    return table


def deep(depth=100_000):
    """Make a list in a list in a list."""
    inside = []
    for _ in range(depth):
        inside = [inside]
    return inside


def values():
    """Name everything that may be given to a verb as a value."""
    found = {f"an object that {deed.__name__}": hostile(deed) for deed in DEEDS}
    for parent, made in (
        (str, ("x",)),
        (int, (3,)),
        (float, (3.0,)),
        (list, ([1],)),
        (bytes, (b"",)),
    ):
        for deed in DEEDS:
            cls = hostile_child(parent, deed)
            found[f"a {parent.__name__} that {deed.__name__}"] = parent.__new__(cls, *made)
    return found | {
        "itself": recursive(),
        "depth": deep(),
        "width": dict.fromkeys(range(1_000_000), "x"),
        "a set": {None, 1, "x"},
        "nan": float("nan"),
        "infinity": float("-inf"),
        "a huge number": 10**10_000,
        "half a character": "\ud800\udfff",
        "nul": "\0\x1b[31m",
        "bytes": b"\xff\xfe",
        "much": "x" * 100_000_000,
        "a generator": (number for number in range(3)),
        "a module": time,
        "a class": type,
        "a lambda": lambda: None,
        "an exception": ValueError(hostile(fails)),
        "a memoryview": memoryview(b"x" * 1_000_000),
    }
