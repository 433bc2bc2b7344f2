"""A request as a whole has an end, however slowly the other side says what it says.

The timeouts of sockets begin anew with every byte; who drips would hold whoever asked for days.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Any
from weakref import WeakSet

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class PatientAdapter(HTTPAdapter):
    """Knows the sockets of its session, and ends what is under way on them."""

    def __init__(self) -> None:
        self._opened: WeakSet[socket.socket] = WeakSet()
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _pools_that_tell(self._opened)

    @contextmanager
    def within(self, limit_s: float) -> Iterator[None]:
        """What is not done by then fails as a connection that broke."""
        timer = Timer(limit_s, self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _hang_up(self) -> None:
        for link in [*self._opened]:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)


def _pools_that_tell(opened: WeakSet[socket.socket]) -> dict[str, Any]:
    """Pools whose connections say which socket they have."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            opened.add(self.sock)

    class Safe(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            opened.add(self.sock)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SafePool(HTTPSConnectionPool):
        ConnectionCls = Safe

    return {"http": PlainPool, "https": SafePool}
