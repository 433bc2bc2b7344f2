"""The way to an agent behind whatever lets only HTTP through: `POST /api/qmon/frames`.

Only `poll` talks to the network, so only the flusher's thread ever waits, and never for longer than
`TIMEOUT_S` at a time; what `send` takes stays in this process until then. Of the transports, this
is the one that a `kill -9` costs up to a flush interval.
"""

from __future__ import annotations

import os
from _socket import SHUT_RDWR
from collections import deque
from time import monotonic

from qmon_sdk.protocol.frames import MAX_FRAME_BYTES

from . import Poll
from .address import Address
from .originals import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from http.client import HTTPConnection
    from typing import Any

ROUTE = "/api/qmon/frames"
TIMEOUT_S = 2.0
OUTBOX_BYTES = 1 << 20
FIRST_PAUSE_S = 0.25
LAST_PAUSE_S = 30.0
_PREFIX = 4
# Besides `HTTPException`: a network that fails, an answer that is no JSON, a Python without ssl,
# and `close` in another thread taking the connection away in the middle.
_TROUBLE = (OSError, ValueError, ImportError, AttributeError)
_OK = 200
_ANSWERING = (_OK, 503)  # with these come acknowledgements
# What a person can do about an answer.
REASONS = {
    401: "the token is missing, unknown or expired",
    403: "the token may not send (scope ingest is needed)",
    404: "no agent answers there",
    413: "the body is too large for what stands in between",
    429: "the agent takes no more for now",
    503: "the agent takes nothing for now",
}


def open_address(address: Address) -> HttpTransport:
    return HttpTransport(address)


class HttpTransport:
    """Collects messages and posts them at each poll."""

    largest = _PREFIX + MAX_FRAME_BYTES

    def __init__(self, address: Address) -> None:
        self.trouble = ""
        self._address = address
        self._pid = os.getpid()
        self._connection: HTTPConnection | None = None
        self._outbox: deque[bytes] = deque()
        self._waiting = 0
        # Nothing is known before the first answer; taking what comes costs no more than asking.
        self._connected = True
        self._closed = False
        self._pause_s = FIRST_PAUSE_S
        self._next = 0.0

    def send(self, message: bytes) -> bool:
        # Two threads at once may overshoot by a message each; an exact bound would cost a lock.
        if not self._connected or self._waiting > OUTBOX_BYTES:
            return False
        self._outbox.append(message)
        self._waiting += len(message)
        return True

    def poll(self) -> Poll:
        batch = self._take()
        if self._connected and not batch:
            return Poll(connected=True)
        if self._closed or (not self._connected and monotonic() < self._next):
            return Poll()
        return self._exchange(b"".join(batch))

    def wait(self, seconds: float) -> None:
        if not self._outbox:  # else the next poll will post it, and wait for the answer itself
            sleep(seconds)

    def close(self) -> None:
        self._connected, self._closed = False, True
        connection = self._connection
        if connection is None or connection.sock is None:
            return
        if os.getpid() == self._pid:  # a forked child would end its parent's connection
            try:
                # Wakes a poll that waits for an answer in another thread; closing alone would not.
                connection.sock.shutdown(SHUT_RDWR)
            except OSError:
                pass  # it was not connected any more
        connection.close()

    def _take(self) -> list[bytes]:
        batch = []
        while self._outbox:
            batch.append(self._outbox.popleft())
        self._waiting = 0
        return batch

    def _exchange(self, body: bytes) -> Poll:
        """Post `body`; an empty one asks whether the agent is back."""
        from http.client import HTTPException

        was_connected = self._connected
        try:
            status, answer = self._post(body)
        except (*_TROUBLE, HTTPException) as error:
            self._fail(str(error) or type(error).__name__)
            return Poll()
        self._settle(status)
        return Poll(
            acknowledged=tuple(answer.get("acknowledged", ())),
            rejected=tuple((number, reason) for number, reason in answer.get("rejected", ())),
            reconnected=self._connected and not was_connected,
            connected=self._connected,
        )

    def _settle(self, status: int) -> None:
        if status == _OK and not self._closed:
            self._connected, self.trouble, self._pause_s = True, "", FIRST_PAUSE_S
        else:
            self._fail(REASONS.get(status, f"the answer was {status}"))

    def _fail(self, reason: str) -> None:
        self.trouble = f"{self._address.scheme}://{self._address.host}: {reason}"
        self._connected = False
        self._next = monotonic() + self._pause_s
        self._pause_s = min(self._pause_s * 2, LAST_PAUSE_S)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _post(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Raises `OSError`, `HTTPException`, or `ValueError` for an answer that is no JSON."""
        import json

        connection = self._connection = self._connection or self._open()
        headers = {"Content-Type": "application/vnd.qmon.frames"}
        if self._address.token:
            headers["Authorization"] = f"Bearer {self._address.token}"
        connection.request("POST", self._address.path.rstrip("/") + ROUTE, body, headers)
        response = connection.getresponse()
        content = response.read()
        answer = json.loads(content) if response.status in _ANSWERING else {}
        return response.status, answer if isinstance(answer, dict) else {}

    def _open(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        kind = HTTPSConnection if self._address.scheme == "https" else HTTPConnection
        return kind(self._address.host, self._address.port or None, timeout=TIMEOUT_S)
