"""A transport that keeps what it is given, for tests and for programs that watch themselves."""

from __future__ import annotations

from qmon_sdk.protocol.frames import MAX_FRAME_BYTES, peek

from . import Poll
from .address import Address
from .originals import sleep

_PREFIX = 4


def open_address(address: Address) -> MemoryTransport:  # noqa: ARG001 - `memory:` has no parts
    return MemoryTransport()


class MemoryTransport:
    """Keeps every message in `messages`; the other fields say how the agent behaves meanwhile."""

    largest = MAX_FRAME_BYTES + _PREFIX

    def __init__(self, *, acknowledges: bool = True, connected: bool = True) -> None:
        self.trouble = ""
        self.messages: list[bytes] = []
        self.acknowledges = acknowledges
        self.connected = connected
        self.closed = False
        self._unanswered: list[int] = []
        self._was_connected = connected

    @property
    def frames(self) -> list[bytes]:
        """The messages without their length prefix."""
        return [message[_PREFIX:] for message in self.messages]

    def send(self, message: bytes) -> bool:
        if not self.connected or self.closed:
            return False
        self.messages.append(message)
        self._unanswered.append(peek(message[_PREFIX:]).sequence)
        return True

    def poll(self) -> Poll:
        reconnected = self.connected and not self._was_connected
        self._was_connected = self.connected
        acknowledged: tuple[int, ...] = ()
        if self.acknowledges and self.connected:
            # `pop` one by one: other threads append meanwhile, and a swap could lose theirs.
            count = len(self._unanswered)
            acknowledged = tuple(self._unanswered.pop(0) for _ in range(count))
        return Poll(acknowledged=acknowledged, reconnected=reconnected, connected=self.connected)

    def wait(self, seconds: float) -> None:
        if not (self.acknowledges and self._unanswered):
            sleep(seconds)

    def close(self) -> None:
        self.closed = True
