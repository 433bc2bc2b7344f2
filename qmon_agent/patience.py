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

from qmon_agent.domain.reaching import Course


class PatientAdapter(HTTPAdapter):
    """Knows the sockets of its session, and ends what is under way on them."""

    def __init__(self) -> None:
        self.course = Course()
        """How far the call has come that is under way."""
        self._opened: WeakSet[socket.socket] = WeakSet()
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _pools_that_tell(self._opened, self.course)

    @contextmanager
    def within(self, limit_s: float) -> Iterator[None]:
        """What is not done by then fails as a connection that broke."""
        self.course.stage, self.course.is_over = "connecting", False
        timer = Timer(limit_s, self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _hang_up(self) -> None:
        self.course.is_over = True
        for link in [*self._opened]:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)


def _pools_that_tell(opened: WeakSet[socket.socket], course: Course) -> dict[str, Any]:
    """Pools whose connections say which socket they have, and how far they have come."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            opened.add(self.sock)
            course.stage = "asked"

    class Safe(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            link = super()._new_conn()
            course.stage = "tls"
            return link

        def connect(self) -> None:
            super().connect()
            opened.add(self.sock)
            course.stage = "asked"

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SafePool(HTTPSConnectionPool):
        ConnectionCls = Safe

    return {"http": PlainPool, "https": SafePool}
