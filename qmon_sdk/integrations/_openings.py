"""A span around what somebody else does: opened before, closed after, whatever happens between."""

from __future__ import annotations

from time import perf_counter_ns

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

    Opened = tuple[Site, Cell, Cell, int, dict[str, Any] | None]
    Extra = dict[str, Any] | None

_place, _move, _scope, _variant = CELL.get, CELL.set, SCOPE.get, SHELF.variant


def opened(what: Site | Said) -> Opened | None:
    """Begin a span and make it this context's current one; `None` if nobody records."""
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


def aside(opening: Opened | None) -> None:
    """Leave a span open without being inside of it: generators are resumed from anywhere."""
    if opening is not None and _place() is opening[2]:
        _move(opening[1])


def closed(opening: Opened, extra: Extra | Pair = None, error: BaseException | None = None) -> None:
    """End a span, and go back to the place before it."""
    site, outer, inner, started, said = opening
    took = perf_counter_ns() - started
    if said is not None or error is not None or type(inner.span) is not int:
        _close_slowly(opening, took, (extra, error))
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


def _close_slowly(
    opening: Opened, took: int, more: tuple[Extra | Pair, BaseException | None]
) -> None:
    """End a span that failed, that has no site of its own, or that somebody has said more about."""
    site, outer, inner, started, said = opening
    extra, error = more
    told = {**(said or {}), **(dict([extra]) if isinstance(extra, tuple) else extra or {})}
    if error is None:
        endings.told(inner, site, outer.span, started, took, told)
    else:
        endings.failed(inner, site, outer.span, started, took, told, error)


def abandoned(opening: Opened, problem: Exception) -> None:
    """Leave the place of a span that could not be ended, and count why."""
    opening[2].close()
    aside(opening)
    failed("integration", problem)
