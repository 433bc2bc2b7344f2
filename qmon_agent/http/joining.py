"""What an answer is made of, written at once: head and body are two writes to uvicorn."""

from __future__ import annotations

from typing import Any

_HEAD, _GO_ON = b"HTTP/1.1 ", b"HTTP/1.1 100 "


class Joining:
    """A transport that keeps the head of an answer until the first of its body is written.

    A write to a socket costs as much as translating half a small request.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        elif data.startswith(_HEAD) and not data.startswith(_GO_ON):
            self._head = data
        else:
            self._transport.write(data)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Write the head of an answer that has nothing else."""
        if self._head:
            self.write(b"")
