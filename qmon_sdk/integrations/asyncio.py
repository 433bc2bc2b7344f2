"""asyncio: callbacks that hold up their loop, by name, and how late the loop is.

There is neither a thread of ours nor the price of asyncio's debug mode: a timer in each running
loop, and two looks at the clock for each callback while there is reason to look. A loop that has
next to nothing to do is woken once a second only. Callbacks of uvloop cannot be looked at; its lag
is measured all the same.
"""

from __future__ import annotations

from time import thread_time_ns

from qmon_sdk.client import current, guarded
from qmon_sdk.metrics import gauge

from ._slow_callbacks import SlowCallbacks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._watch import Watch

SLOW_CALLBACK_S = 0.1
LAG_INTERVAL_S = 0.1
_SELDOM = 10  # intervals between two looks at a loop that was idle as many times
_IDLE_NS = 10_000_000  # of CPU in a second: each time it is woken costs a hundredth of that


class AsyncioIntegration:
    """Watches every loop that begins to run; `slow_callback_s` says what slow is.

    `always` times every callback from the start, which names also the first that is slow.
    """

    def __init__(
        self,
        *,
        slow_callback_s: float = SLOW_CALLBACK_S,
        lag_interval_s: float = LAG_INTERVAL_S,
        always: bool = False,
    ) -> None:
        self._slow = SlowCallbacks(int(slow_callback_s * 1e9), always=always)
        self._interval_s = lag_interval_s
        self._is_on = True

    def install(self, watch: Watch) -> None:
        """Stand around the running of loops."""
        from asyncio.base_events import BaseEventLoop

        watch.undo_by(self._stop)
        self._slow.begin()
        watch.wrap(BaseEventLoop, "run_forever", self._beating)
        watch.when_imported("uvloop", self._watch_uvloop)

    def _beaten(self, late_s: float) -> bool:
        """Take how late a loop is, and say whether it is still to be watched."""
        recorder = current().recorder
        if recorder is None or not self._is_on:
            return False
        if recorder.is_awake:  # not to be the one that starts a thread
            gauge("asyncio.loop.lag", late_s, unit="s")
        self._slow.late(int(late_s * 1e9))
        return True

    def _stop(self) -> None:
        self._is_on = False
        self._slow.stop()

    def _watch_uvloop(self, watch: Watch) -> None:
        from uvloop import Loop

        watch.wrap(Loop, "run_forever", self._beating)

    def _beating(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def run_forever(loop: Any) -> Any:
            beat = Beat(loop, self._interval_s, self._beaten)
            try:
                return run(loop)
            finally:
                beat.stop()

        return run_forever


class Beat:
    """A timer that comes again and again: how late it comes is the lag of its loop."""

    __slots__ = ("_due", "_idle", "_interval_s", "_loop", "_next_s", "_spent", "_timer", "_told")

    def __init__(self, loop: Any, interval_s: float, told: Callable[[float], bool]) -> None:
        self._loop = loop
        self._told = told
        self._interval_s = self._next_s = interval_s
        self._spent, self._idle = thread_time_ns(), 0
        self._wind()

    @guarded
    def _wind(self) -> None:
        self._timer: Any = None
        self._due = self._loop.time() + self._next_s
        self._timer = self._loop.call_at(self._due, self._beat)

    @guarded
    def _beat(self) -> None:
        late_s = max(self._loop.time() - self._due, 0.0)
        if self._told(late_s):
            self._judge(late_s)
            self._wind()

    def _judge(self, late_s: float) -> None:
        """Look more seldom once there was nothing to do for a while, and at once more often."""
        spent, before = thread_time_ns(), self._spent
        is_idle = late_s < self._interval_s and spent - before < self._next_s * _IDLE_NS
        self._idle = self._idle + 1 if is_idle else 0
        self._spent = spent
        self._next_s = self._interval_s * (_SELDOM if self._idle > _SELDOM else 1)

    def stop(self) -> None:
        """Leave the loop as it was."""
        if self._timer is not None:
            self._timer.cancel()
