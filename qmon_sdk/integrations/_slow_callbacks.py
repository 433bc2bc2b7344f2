"""Which callback held up a loop: each is timed, but only while there is reason to look closely.

Timing every callback of a busy server costs several percent. So a loop is looked at by its lag;
when that shows that something has held it up, every callback is timed until it is calm again.
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

CALM_NS = 30_000_000_000


class SlowCallbacks:
    """Tells of callbacks that take longer than `slow_ns`; of the first, only that there was one.

    `always` looks closely all the time: then the first one has a name too.
    """

    def __init__(self, slow_ns: int, *, always: bool) -> None:
        self._slow_ns = slow_ns
        self._always = always
        self._close: Watch | None = None
        self._close_until = 0

    def begin(self) -> None:
        """Look closely from the start, if that is wanted."""
        if self._always:
            self._look_closely()

    def late(self, lag_ns: int) -> None:
        """Hear how late a loop was just now."""
        now = perf_counter_ns()
        if lag_ns > self._slow_ns // 2:
            self._close_until = now + CALM_NS
            if self._close is None:
                self._look_closely()
                if lag_ns > self._slow_ns:
                    _record({}, now - lag_ns, lag_ns)
        elif self._close is not None and now > self._close_until and not self._always:
            self.stop()

    def stop(self) -> None:
        """Look closely no more."""
        close, self._close = self._close, None
        if close is not None:
            close.remove()

    def _look_closely(self) -> None:
        from asyncio.events import Handle

        self._close = Watch("asyncio", Imports())
        self._close.wrap(Handle, "_run", self._timed)

    def _timed(self, run: Callable[[Any], None]) -> Callable[[Any], None]:
        slow_ns, now = self._slow_ns, perf_counter_ns

        def _run(handle: Any) -> None:
            began = now()
            run(handle)
            took = now() - began
            if took > slow_ns and self._close is not None:
                _tell(handle, began, took)

        return _run


@guarded
def _tell(handle: Any, began: int, took: int) -> None:
    """Record a span of what held up the loop, where that stands in its trace."""
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
