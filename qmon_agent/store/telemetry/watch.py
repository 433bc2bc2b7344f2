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
        self._news = threading.Event()
        self.cancelled = False
        self.overdue = False

    def cancel(self) -> None:
        """Nobody waits any more; from any thread, also before the query begins."""
        self.cancelled = True
        self._news.set()

    @contextmanager
    def over(self, interrupt: Callable[[], None], *, timeout_s: float) -> Iterator[None]:
        """Watch what is done inside; one thing after the other, each with its own time."""
        done = threading.Event()
        watcher = threading.Thread(
            target=self._watch, args=(interrupt, timeout_s, done), name="watch", daemon=True
        )
        watcher.start()
        try:
            yield
        finally:
            done.set()
            self._news.set()
            watcher.join()
            self._news.clear()  # a cancellation that comes just now is remembered all the same

    def _watch(
        self, interrupt: Callable[[], None], timeout_s: float, done: threading.Event
    ) -> None:
        self.overdue = not (self.cancelled or self._news.wait(timeout_s))
        while not done.is_set():
            interrupt()
            done.wait(AGAIN_S)
