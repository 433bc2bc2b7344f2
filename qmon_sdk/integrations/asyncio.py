"""asyncio: callbacks that hold up their loop, by name, and how late the loop is.

There is neither a thread of ours nor the price of asyncio's debug mode: two looks at the clock for
each callback, and a timer in each running loop. Callbacks of uvloop cannot be looked at; its lag is
measured all the same.
"""

from __future__ import annotations

from time import perf_counter_ns

from qmon_sdk.client import current, guarded
from qmon_sdk.context import SCOPE
from qmon_sdk.metrics import count, gauge
from qmon_sdk.recorder.cells import here, write_row
from qmon_sdk.spans import site_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._watch import Watch

SLOW_CALLBACK_S = 0.1
LAG_INTERVAL_S = 0.5


class AsyncioIntegration:
    """Watches every loop that begins to run; `slow_callback_s` says what slow is."""

    def __init__(
        self, *, slow_callback_s: float = SLOW_CALLBACK_S, lag_interval_s: float = LAG_INTERVAL_S
    ) -> None:
        self._slow_ns = int(slow_callback_s * 1e9)
        self._interval_s = lag_interval_s
        self._is_on = True

    def install(self, watch: Watch) -> None:
        """Stand around callbacks and around the running of loops."""
        from asyncio.base_events import BaseEventLoop
        from asyncio.events import Handle

        watch.undo_by(self._stop)
        watch.wrap(Handle, "_run", self._timed)
        watch.wrap(BaseEventLoop, "run_forever", self._beating)
        watch.when_imported("uvloop", self._watch_uvloop)

    def is_on(self) -> bool:
        """Say whether loops that run already are still watched."""
        return self._is_on

    def _stop(self) -> None:
        self._is_on = False

    def _watch_uvloop(self, watch: Watch) -> None:
        from uvloop import Loop

        watch.wrap(Loop, "run_forever", self._beating)

    def _timed(self, run: Callable[[Any], None]) -> Callable[[Any], None]:
        slow_ns, now = self._slow_ns, perf_counter_ns

        def _run(self: Any) -> None:
            started = now()
            run(self)
            if now() - started > slow_ns:
                _tell(self, started, now() - started)

        return _run

    def _beating(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def run_forever(loop: Any) -> Any:
            beat = Beat(loop, self._interval_s, self.is_on)
            try:
                return run(loop)
            finally:
                beat.stop()

        return run_forever


class Beat:
    """A timer that comes again and again: how late it comes is the lag of its loop."""

    __slots__ = ("_due", "_interval_s", "_is_wanted", "_loop", "_timer")

    def __init__(self, loop: Any, interval_s: float, is_wanted: Callable[[], bool]) -> None:
        self._loop = loop
        self._is_wanted = is_wanted
        self._interval_s = interval_s
        self._wind()

    @guarded
    def _wind(self) -> None:
        self._timer: Any = None
        self._due = self._loop.time() + self._interval_s
        self._timer = self._loop.call_at(self._due, self._beat)

    @guarded
    def _beat(self) -> None:
        late = max(self._loop.time() - self._due, 0.0)
        recorder = current().recorder
        if recorder is not None and self._is_wanted():
            if recorder.is_awake:  # not to be the one that starts a thread
                gauge("asyncio.loop.lag", late, unit="s")
            self._wind()

    def stop(self) -> None:
        """Leave the loop as it was."""
        if self._timer is not None:
            self._timer.cancel()


@guarded
def _tell(handle: Any, started: int, duration: int) -> None:
    """Record a span of what held up the loop, where that stands in its trace."""
    function = _function(handle._callback)  # noqa: SLF001 - what asyncio's own debug mode shows
    handle._context.run(_record, function, started, duration)  # noqa: SLF001


def _record(function: Any, started: int, duration: int) -> None:
    outer = here()
    span = next(outer.ids, 0) if outer is not None else 0
    if not span or outer is None:
        return
    about = _about(function)
    cell = outer.child(span)
    site = site_of("asyncio slow callback")
    if not outer.span:
        cell.begin_trace(site.name)
    row = (
        site, SCOPE.get(), "unset", cell.trace_hi, cell.trace_lo,
        span, outer.span, started, duration, about,
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
