"""Work beside the writing: one piece after the other, in a thread with its own memory, slowly."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from . import limits

NS = 1_000_000_000


class Beside:
    """One thread at a time, and after it a pause: over a while it has its share of a processor."""

    def __init__(self, directory: Path, *, name: str, memory_limit_mb: int, share: float) -> None:
        self._directory = directory
        self._name = name
        self._memory_limit_mb = memory_limit_mb
        self._share = share
        self._thread: threading.Thread | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._closing = False
        # Not by the clock of the wall, which may be set.
        self._not_before = 0

    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def wait(self, timeout_s: float | None = None) -> None:
        if self._thread is not None:
            self._thread.join(timeout_s)

    def close(self) -> None:
        """Stop what is under way: it is begun anew some other time."""
        self._closing = True
        while self.busy():
            with contextlib.suppress(duckdb.ConnectionException):  # it may be closed by now
                if self._connection is not None:
                    self._connection.interrupt()
            self.wait(0.05)

    def _is_due(self) -> bool:
        return not self.busy() and time.monotonic_ns() >= self._not_before

    def _begin(self, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(
            target=self._paced, args=(work,), name=self._name, daemon=True
        )
        self._thread.start()

    def _paced(self, work: Callable[[], None]) -> None:
        began = time.monotonic_ns()
        work()
        ended = time.monotonic_ns()
        self._not_before = ended + int((ended - began) * (1 / self._share - 1))

    def _opened(self) -> duckdb.DuckDBPyConnection:
        """A database in memory, which `close` interrupts."""
        self._connection = limits.connect_in_memory(
            self._directory, memory_limit_mb=self._memory_limit_mb
        )
        return self._connection
