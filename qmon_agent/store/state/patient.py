"""Connections of PostgreSQL whose server is given up where it says nothing for too long.

A server that is stopped, and not gone, keeps every connection open: the kernel takes what is sent
to it, so that neither keepalives nor the server's own `statement_timeout` ever end the wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

SILENCE_S = 10.0
"""So long a server may think about one statement before it counts as away."""
UNHURRIED_S = 900.0
"""The same for what may take long: a migration, a copy, old rows that are deleted."""

_now = threading.local()


@contextmanager
def unhurried() -> Iterator[None]:
    """What this thread asks meanwhile may take long."""
    before, _now.silence_s = _silence_s(), UNHURRIED_S
    try:
        yield
    finally:
        _now.silence_s = before


class PatientConnection(psycopg.Connection[Any]):
    """Closes itself where an answer does not come; whether it was done, others find out."""

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        """As the driver waits, but not for ever; raises its OperationalError."""
        return super().wait(self._while_it_speaks(gen), *arguments, **options)

    def _while_it_speaks(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        silence_s = _silence_s()
        until, heard = time.monotonic() + silence_s, None
        while True:
            try:
                wanted = gen.send(heard)
            except StopIteration as end:
                return end.value
            heard = yield wanted
            if heard:
                until = time.monotonic() + silence_s
            elif time.monotonic() > until:
                self.pgconn.finish()
                raise psycopg.OperationalError(f"it has said nothing for {silence_s:.0f} s")


def _silence_s() -> float:
    return float(getattr(_now, "silence_s", SILENCE_S))
