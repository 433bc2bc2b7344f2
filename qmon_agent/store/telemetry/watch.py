"""Stopping a query: when its time is over, or when nobody waits for it any more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AGAIN_S = 0.05


class StoppedError(Exception):
    """The query was stopped because nobody waits for it."""


class Watch:
    """Interrupts what it watches again and again until it ends.

    Once is not enough: an interrupt between two steps of a query is forgotten by the engine.
    """

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._done = threading.Event()
        self.overdue = False

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Nobody waits any more; from any thread, also before the query begins."""
        self._cancelled.set()

    @contextmanager
    def over(self, interrupt: Callable[[], None], *, timeout_s: float) -> Iterator[None]:
        """Watch what is done inside."""
        watcher = threading.Thread(
            target=self._watch, args=(interrupt, timeout_s), name="watch", daemon=True
        )
        watcher.start()
        try:
            yield
        finally:
            self._done.set()
            self._cancelled.set()
            watcher.join()

    def _watch(self, interrupt: Callable[[], None], timeout_s: float) -> None:
        self.overdue = not self._cancelled.wait(timeout_s)
        while not self._done.is_set():
            interrupt()
            self._done.wait(AGAIN_S)
