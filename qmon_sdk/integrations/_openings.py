"""A span around what somebody else does: opened before, closed after, whatever happens between.

Where there is the accelerator, spans begin and end in C, as those of instrumented functions do; but
for those that are left open aside, which C has no place for.
"""

from __future__ import annotations

from time import perf_counter_ns

from qmon_sdk.accelerator import speedups
from qmon_sdk.client import failed
from qmon_sdk.context import SCOPE
from qmon_sdk.recorder import endings
from qmon_sdk.recorder.cells import CELL, here, write_row
from qmon_sdk.transports.originals import get_ident

from ._sites import SHELF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from qmon_sdk.recorder.cells import Cell
    from qmon_sdk.recorder.sites import Site

    from ._sites import Pair, Said

    Extra = dict[str, Any] | None
    Inside = tuple[Site, Cell, Cell, int, Extra]
    Opened = Inside | tuple[Any, Site, Extra]

_place, _move, _scope, _variant = CELL.get, CELL.set, SCOPE.get, SHELF.variant
_entrances: dict[int, Any] = {}


def opened(what: Site | Said) -> Opened | None:
    """Begin a span and make it this context's current one; `None` if nobody records."""
    site, said = what if isinstance(what, tuple) else (what, None)
    enter = _entrances.get(site.number) or _entrance(site)
    stay = enter()
    return None if stay is None else (stay, site, said)


def opened_aside(what: Site | Said) -> Opened | None:
    """Begin a span without being inside of it: generators are resumed from anywhere."""
    opening = _opened(what)
    if opening is not None:
        _move(opening[1])
    return opening


def closed(opening: Opened, extra: Extra | Pair = None, error: BaseException | None = None) -> None:
    """End a span, and go back to the place before it."""
    if len(opening) != 3:  # noqa: PLR2004 - those of C are shorter
        _closed(opening, extra, error)
        return
    stay, site, said = opening
    if said is not None or error is not None:
        told = _together(said, extra)
        if error is None:
            stay.end(told)
        else:
            stay.fail(told, error)
        return
    if isinstance(extra, tuple):
        site, extra = _variant(site, extra)
        if extra is None:
            stay.end_at(_entrances.get(site.number) or _entrance(site))
            return
    stay.end(extra)


def abandoned(opening: Opened, problem: Exception) -> None:
    """Leave the place of a span that could not be ended as it should, and count why."""
    if len(opening) == 3:  # noqa: PLR2004
        opening[0].end(None)
    else:
        opening[2].close()
        if _place() is opening[2]:
            _move(opening[1])
    failed("integration", problem)


def _entrance(site: Site) -> Any:
    """Make C's entrance to spans of a site; of those that call others, which may wait."""
    made = _entrances[site.number] = speedups.Entrance(site, waits=True)
    return made


def _opened(what: Site | Said) -> Inside | None:
    site, said = what if isinstance(what, tuple) else (what, None)
    outer = _place()
    # As `here` does, without the price of a call where it has been asked before.
    span = next(outer.ids, 0) if outer.thread == get_ident() else 0
    if not span:
        found = here()
        span = next(found.ids, 0) if found is not None else 0
        if found is None or not span:
            return None
        outer = found
    # A place of its own also where the call blocks: greenlets may run in between.
    inner = outer.child(span)
    parent = outer.span
    if not parent:
        inner.begin_trace(site.name)
    _move(inner)
    started = perf_counter_ns()
    inner.open(site, parent, started)
    return site, outer, inner, started, said


def _closed(
    opening: Inside, extra: Extra | Pair = None, error: BaseException | None = None
) -> None:
    site, outer, inner, started, said = opening
    took = perf_counter_ns() - started
    if said is not None or error is not None or type(inner.span) is not int:
        told = _together(said, extra)
        if error is None:
            endings.told(inner, site, outer.span, started, took, told)
        else:
            endings.failed(inner, site, outer.span, started, took, told, error)
    else:
        if isinstance(extra, tuple):
            site, extra = _variant(site, extra)
        write_row(inner, (
            site, _scope(), "unset", inner.trace_hi, inner.trace_lo,
            inner.span, outer.span, started, took, extra,
        ))  # fmt: skip
    inner.close()
    if _place() is inner:
        _move(outer)


def _together(said: Extra, extra: Extra | Pair) -> Extra:
    more = dict([extra]) if isinstance(extra, tuple) else extra
    return {**(said or {}), **(more or {})} or None


if not TYPE_CHECKING and speedups is None:
    opened, closed = _opened, _closed
