"""Installs one integration in a process of its own, and prints what it changed and left behind."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from runpy import run_path
from tempfile import TemporaryDirectory
from types import FunctionType

from qmon_sdk.client import current
from qmon_sdk.integrations import MODULES, _class
from qmon_sdk.integrations._imports import Imports
from qmon_sdk.integrations._watch import Watch
from qmon_sdk.start import init, shutdown, stats
from qmon_sdk.transports.memory import MemoryTransport

NAME = sys.argv[1]
LIBRARY = MODULES.get(NAME, NAME)
OURS = ("qmon_sdk", "__main__", "__mp_main__")
METHODS = (classmethod, staticmethod, property)


class Broken(Watch):
    """A watch of a library that has changed: the change of this number, from 0, cannot be made."""

    def __init__(self, number):
        super().__init__(NAME, Imports(), module=LIBRARY)
        self.number, self.made = number, 0

    def wrap(self, owner, name, wrapper):
        self.made += 1
        if self.made == self.number + 1:
            raise AttributeError("the library has changed")
        super().wrap(owner, name, wrapper)


def begin():
    init(service="test", transport=MemoryTransport(), spool_dir=SPOOL, integrations=(NAME,))
    return stats().integrations[NAME]


def remove():
    current().integrations[NAME].remove()
    shutdown(timeout=0)


def snapshot():
    """What can be called in every module and class of the process, by its place."""
    seen = {}
    for name, module in list(sys.modules.items()):
        if module is not None and name.partition(".")[0] not in OURS:
            for key, value in list(vars(module).items()):
                _note(seen, (name, key), value)
    return seen


def _note(seen, place, value):
    # Asked of their types: a proxy may answer for itself in any way.
    if not callable(value) and type(value) not in METHODS:
        return
    seen[place] = value
    if issubclass(type(value), type):
        of = f"{value.__module__}.{value.__qualname__}"
        for key, inner in () if of.startswith(OURS) else list(vars(value).items()):
            if callable(inner) or type(inner) in METHODS:
                seen[of, key] = inner


def changed(before, after):
    """Places that hold something else, or something new that is ours."""
    other = [place for place, value in before.items() if after.get(place, value) is not value]
    gone = [place for place in before if place not in after]
    new = [place for place, value in after.items() if place not in before and is_ours(value)]
    return sorted({".".join(place) for place in (*other, *gone, *new)})


def is_ours(value):
    function = value.__func__ if type(value) in {classmethod, staticmethod} else value
    return type(function) is FunctionType and "qmon_sdk" in function.__code__.co_filename


def is_ours_to_find(finder):
    return type(finder).__module__.startswith(OURS)


def broken_everywhere():
    """Let each change fail in turn; tell how that went where it did not go well."""
    before, bad, number = snapshot(), [], 0
    while True:
        watch = Broken(number)
        watch.begin(lambda watch=watch: _class(NAME)().install(watch))
        if watch.made <= number:
            watch.remove()
            return bad
        left = changed(before, snapshot())
        if not watch.state.startswith("off: AttributeError") or left:
            bad.append([number, watch.state, left])
        number += 1


def import_what_is_used():
    """Import further modules of the library, which an integration may be waiting for."""
    file = Path(__file__).parent / "uses" / f"{NAME}.py"
    if file.exists():
        run_path(str(file))


def examine():
    known = set(sys.modules)
    yield "state_before_import", begin()
    remove()
    importlib.import_module(f"qmon_sdk.integrations.{NAME}")
    new = {name for name in set(sys.modules) - known if not name.startswith("qmon_sdk")}
    yield "brings", sorted(name for name in new if f"{name}.".startswith(f"{LIBRARY}."))
    paths = list(sys.meta_path)
    begin()
    try:
        importlib.import_module(LIBRARY)
    except ImportError as error:
        yield "missing", str(error)
        return
    yield "state_after_import", stats().integrations[NAME]
    import_what_is_used()
    remove()
    yield "left_after_late", changed({}, snapshot())
    for order in ("first", "second"):
        before = snapshot()
        yield f"state_{order}", begin()
        yield f"changed_{order}", changed(before, snapshot())
        remove()
        yield f"left_{order}", changed(before, snapshot())
    yield "broken", broken_everywhere()
    # A library may bring finders of its own.
    known = [finder for finder in sys.meta_path if finder in paths or is_ours_to_find(finder)]
    yield "same_paths", paths == known


with TemporaryDirectory() as SPOOL:
    print(json.dumps(dict(examine())))
