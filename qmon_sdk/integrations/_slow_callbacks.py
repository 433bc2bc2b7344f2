"""Which callback held up a loop: seen from between two turns, and from close by when in doubt.

Timing every callback would cost a busy server several percent. So a loop is looked at once a turn,
where it asks its selector for news: a turn that took long ran what was ready then. If that was a
single callback, it is named; if there were several, each of them is timed for a minute.
"""

from __future__ import annotations

from time import perf_counter_ns

from qmon_sdk.client import guarded
from qmon_sdk.context import SCOPE
from qmon_sdk.metrics import count
from qmon_sdk.recorder.cells import here, write_row
from qmon_sdk.spans import site_of

from ._imports import Imports
from ._watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CLOSE_NS = 60_000_000_000


class SlowCallbacks:
    """Watches the turns of loops, and tells of those that took longer than `slow_ns`."""

    def __init__(self, slow_ns: int) -> None:
        self._slow_ns = slow_ns
        self._close: Watch | None = None
        self._close_until = 0

    def watch(self, loop: Any) -> Callable[[], object]:
        """Stand where a loop asks for news; returns how to leave."""
        selector = getattr(loop, "_selector", None)
        if selector is None or "select" in vars(selector):  # another sort of loop, or watched
            return _nothing
        vars(selector)["select"] = self._timed(loop, selector.select)
        return lambda: vars(selector).pop("select", None)

    def stop(self) -> None:
        """Look no closer any more."""
        close, self._close = self._close, None
        if close is not None:
            close.remove()

    def _timed(self, loop: Any, select: Callable[..., Any]) -> Callable[..., Any]:
        ready, scheduled = loop._ready, loop._scheduled  # noqa: SLF001 - two containers, for good
        slow_ns, now, told = self._slow_ns, perf_counter_ns, self._turned
        first: Any = None
        events: Any = ()
        number, began = 0, now()

        def timed(timeout: float | None = None) -> Any:
            nonlocal first, events, number, began
            took = now() - began
            if took > slow_ns:
                told((first, number, events), began, took)
            number = len(ready)
            first = ready[0] if number else scheduled[0] if scheduled else None
            events = select(timeout)
            began = now()
            return events

        return timed

    @guarded
    def _turned(self, turn: tuple[Any, int, Any], began: int, took: int) -> None:
        if self._close is not None:
            if began > self._close_until:
                self.stop()
            return
        first, number, events = turn
        if number + len(events) > 1:
            self._look_closer(began + took)
        _tell(first if number or not events else _handle_of(events[0]), began, took)

    def _look_closer(self, now: int) -> None:
        from asyncio.events import Handle

        self._close_until = now + CLOSE_NS
        self._close = Watch("asyncio", Imports())
        self._close.wrap(Handle, "_run", self._timed_run)

    def _timed_run(self, run: Callable[[Any], None]) -> Callable[[Any], None]:
        slow_ns, now = self._slow_ns, perf_counter_ns

        def _run(self: Any) -> None:
            began = now()
            run(self)
            took = now() - began
            if took > slow_ns:
                _tell(self, began, took)

        return _run


def _nothing() -> None:
    """Nothing was done."""


def _handle_of(event: Any) -> Any:
    """Find what asyncio calls when this happens: one for reading, or one for writing."""
    pair = event[0].data
    return (pair[0] or pair[1]) if isinstance(pair, tuple) else None


@guarded
def _tell(handle: Any, began: int, took: int) -> None:
    """Record a span of what held up the loop, where that stands in its trace."""
    if handle is None:
        _record({}, began, took)
        return
    # What asyncio's own debug mode shows.
    about = _about(_function(handle._callback))  # noqa: SLF001
    handle._context.run(_record, about, began, took)  # noqa: SLF001


def _record(about: dict[str, Any], began: int, took: int) -> None:
    outer = here()
    span = next(outer.ids, 0) if outer is not None else 0
    if not span or outer is None:
        return
    cell = outer.child(span)
    site = site_of("asyncio slow callback")
    if not outer.span:
        cell.begin_trace(site.name)
    row = (
        site, SCOPE.get(), "unset", cell.trace_hi, cell.trace_lo,
        span, outer.span, began, took, about,
    )  # fmt: skip
    write_row(cell, row)
    count("asyncio.slow_callbacks", unit="{callback}")


def _function(callback: Any) -> Any:
    """Find what a callback runs: a task's coroutine, or the function inside of partials."""
    while hasattr(callback, "func"):
        callback = callback.func
    task = getattr(callback, "__self__", None)
    coroutine = getattr(task, "get_coro", None)
    return callback if coroutine is None else coroutine()


def _about(function: Any) -> dict[str, Any]:
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    about: dict[str, Any] = {"code.function.name": name}
    code = getattr(function, "cr_code", None) or getattr(function, "__code__", None)
    if code is not None:
        about["code.file.path"] = code.co_filename
        about["code.line.number"] = code.co_firstlineno
    return about
