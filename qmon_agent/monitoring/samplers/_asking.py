"""Asking file systems how full they are, of which any may never answer."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable

Answer = os.statvfs_result | OSError


class Asking:
    """A thread that asks one place after another; a place that hangs keeps its thread to itself."""

    def __init__(self, ask: Callable[[str], os.statvfs_result] = os.statvfs) -> None:
        """`ask` may block for ever."""
        self.hanging: dict[str, _Round] = {}
        self._ask = ask

    def ask(self, places: Iterable[str], timeout_s: float) -> dict[str, Answer]:
        """What those answered that answer in time; who still hangs from before is not asked."""
        self.hanging = {place: it for place, it in self.hanging.items() if not it.is_over.is_set()}
        left = [place for place in places if place not in self.hanging]
        answers: dict[str, Answer] = {}
        while left:
            asking = _Round(self._ask, left)
            asking.start()
            if asking.is_over.wait(timeout_s):
                return answers | asking.answers
            answers |= asking.answers
            place = asking.abandon()
            self.hanging[place] = asking
            left = left[left.index(place) + 1 :]
        return answers


class _Round(threading.Thread):
    def __init__(self, ask: Callable[[str], os.statvfs_result], places: list[str]) -> None:
        # A daemon: the end of the agent does not wait for a server that is gone.
        super().__init__(name="qmon-statvfs", daemon=True)
        self.answers: dict[str, Answer] = {}
        self.is_over = threading.Event()
        self._ask = ask
        self._places = places
        self._at = places[0]
        self._is_abandoned = False

    def run(self) -> None:
        for place in self._places:
            self._at = place
            try:
                self.answers[place] = self._ask(place)
            except OSError as problem:
                self.answers[place] = problem
            if self._is_abandoned:
                break
        self.is_over.set()

    def abandon(self) -> str:
        """The place it hangs at; its thread asks no other when it comes back."""
        self._is_abandoned = True
        return self._at
