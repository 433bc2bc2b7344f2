"""The one thread of the SDK: it starts with the first signal, and waits on nothing but its lock."""

from __future__ import annotations

import os
from time import monotonic

from qmon_sdk.client import failed
from qmon_sdk.transports.originals import allocate_lock, sleep, start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


_LOOK_S = 0.0001
_SOON_S = 0.025


class Flusher:
    """Calls `tick` every `interval` seconds and whenever it is woken, in a thread of its own.

    The thread is a bare one: the interpreter does not wait for it at exit, and nothing the
    application, or gevent, does to the `threading` module reaches it.
    """

    def __init__(self, tick: Callable[[], None], interval: float) -> None:
        self._tick = tick
        self._interval = interval
        self._started = False
        self._stopped = False
        self._is_soon = False
        self._alarm = allocate_lock()
        self._alarm.acquire()

    def start(self) -> None:
        """Begin, if it has not begun."""
        if self._started:
            return
        self._started = True
        try:
            start_new_thread(self._run, ())
        except (
            RuntimeError
        ):  # no thread to be had, or the interpreter is closing: `flush` still works
            self._stopped = True

    def wake(self) -> None:
        """Tick soon."""
        if self._alarm.locked():
            try:
                self._alarm.release()
            except RuntimeError:  # another thread was quicker
                return

    def soon(self) -> None:
        """Tick in a moment, with what else comes until then."""
        self._is_soon = True
        self.wake()

    def stop(self) -> None:
        """Tick no more; does not wait for a tick that is under way."""
        self._stopped = True
        self.wake()

    def end(self, patience: float) -> None:
        """Stop, and wait that long for the system to have seen the thread end."""
        if not self._started or self._stopped:
            return
        before = running_threads()
        self.stop()
        deadline = monotonic() + patience
        while running_threads() == before and monotonic() < deadline:
            sleep(_LOOK_S)

    def _run(self) -> None:
        while not self._stopped:
            self._alarm.acquire(timeout=self._interval)
            if self._is_soon and not self._stopped:
                self._alarm.acquire(timeout=_SOON_S)  # or until really woken
            self._is_soon = False
            try:
                self._tick()
            except Exception as error:  # noqa: BLE001 - the thread has to go on
                _count(error)


def running_threads() -> int:
    """Count this process's threads as the system does; none where it does not tell."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 0


def _count(error: Exception) -> None:
    """Count it; even where failures are loud, this thread has nobody to shout at."""
    try:
        failed("flush", error)
    except Exception:  # noqa: BLE001 - it has been counted
        return
