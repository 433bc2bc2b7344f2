"""One connection to an agent that may be away: dialled, lost, dialled again with growing pauses."""

from __future__ import annotations

import errno
import os
from time import monotonic

from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import Ack, decode_ack

from . import Poll
from .originals import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol
else:
    Protocol = object

FIRST_PAUSE_S = 0.05
LAST_PAUSE_S = 2.0
# Why a connection fails, in words for whoever set the program up.
REASONS = {
    errno.ENOENT: "no agent there (no such socket)",
    errno.ECONNREFUSED: "nobody listens there any more",
    errno.EACCES: "no permission to connect",
    errno.EAGAIN: "the agent has no room for another connection",
    errno.EPIPE: "the agent closed the connection",
    errno.ECONNRESET: "the agent closed the connection",
}


class Channel(Protocol):
    """An open connection. Every method raises `OSError` when it is no longer one."""

    largest: int

    def is_open(self) -> bool:
        """Say whether it can be used yet; a connection may take several looks to be made."""

    def send(self, message: bytes) -> bool:
        """Take a whole message or nothing, without blocking."""

    def receive(self) -> list[bytes]:
        """Give the messages that came, without their length, in bounded number."""

    def wait(self, seconds: float) -> None:
        """Wait until there is something to receive."""

    def close(self) -> None:
        """Give the descriptor back; harmless when done twice."""


class Link:
    """A transport over whatever `dial` connects; `place` names it in what a person reads.

    With `at_once` the first attempt is made here and now, for ways on which it cannot take long.
    """

    def __init__(self, dial: Callable[[], Channel], *, place: str, at_once: bool = True) -> None:
        self.trouble = ""
        self._dial = dial
        self._place = place
        self._channel: Channel | None = None
        self._connected = False
        self._retired: list[Channel] = []
        self._doomed: list[Channel] = []
        self._pause_s = FIRST_PAUSE_S
        self._next = 0.0
        # Processes that lost the same agent at the same moment should not all come back at another.
        self._rhythm = 0.75 + os.getpid() % 64 / 128
        if at_once:
            self._connect()
            self._connected = self._look() is not None

    @property
    def largest(self) -> int:
        return self._channel.largest if self._channel is not None else 0

    def send(self, message: bytes) -> bool:
        channel = self._channel
        if channel is None:
            return False
        try:
            return channel.send(message)
        except OSError as error:
            self._lose(channel, error)
            return False

    def poll(self) -> Poll:
        self._bury()
        before = self._channel if self._connected else None
        answers = self._receive()
        if self._channel is None and monotonic() >= self._next:
            self._connect()
        channel = self._look()
        self._connected = channel is not None
        is_new = channel is not None and channel is not before
        # A connection that is being made counts: what waits for it needs no spool yet.
        return _poll_of(answers, reconnected=is_new, connected=self._channel is not None)

    def wait(self, seconds: float) -> None:
        (self._channel.wait if self._channel is not None else sleep)(seconds)

    def close(self) -> None:
        channel, self._channel = self._channel, None
        self._connected = False
        self._next = float("inf")
        if channel is not None:
            channel.close()
        self._bury()
        self._bury()

    def _connect(self) -> None:
        try:
            self._channel = self._dial()
        except OSError as error:
            self._explain(error)
            self._next = monotonic() + self._pause_s * self._rhythm
            self._pause_s = min(self._pause_s * 2, LAST_PAUSE_S)

    def _look(self) -> Channel | None:
        """The channel, if it is one by now."""
        channel = self._channel
        try:
            if channel is None or not channel.is_open():
                return None
        except OSError as error:
            self._lose(channel, error)
            return None
        self.trouble = ""
        return channel

    def _receive(self) -> list[Ack]:
        channel = self._channel
        if channel is None or not self._connected:
            return []
        try:
            answers = [decode_ack(message) for message in channel.receive()]
            for answer in answers:
                _check_admitted(answer)
        except OSError as error:
            self._lose(channel, error)
        except WireError:
            # What we cannot read was cut short or is no agent's: begin anew, and send again.
            self._lose(channel, OSError(errno.EPROTO, "an answer that makes no sense"))
        else:
            if answers:
                self._pause_s = FIRST_PAUSE_S
            return answers
        return []

    def _lose(self, channel: Channel | None, error: OSError) -> None:
        """Let a broken channel go; any thread may find out first."""
        if channel is None or self._channel is not channel:
            return
        self._channel = None
        # Closed a whole poll later: another thread may be about to enter `send` with the number of
        # this descriptor, and the host program could be given the same number in between.
        self._retired.append(channel)
        self._explain(error)
        self._next = monotonic() + self._pause_s * self._rhythm
        self._pause_s = min(self._pause_s * 2, LAST_PAUSE_S)

    def _explain(self, error: OSError) -> None:
        self.trouble = f"{self._place}: {REASONS.get(error.errno or 0) or error.strerror or error}"

    def _bury(self) -> None:
        """Close what was let go before the last poll, and put down what was let go since."""
        while self._doomed:
            self._doomed.pop().close()
        while self._retired:
            self._doomed.append(self._retired.pop())


def _check_admitted(answer: Ack) -> None:
    """Raise `OSError` for the refusal of no frame in particular: it is we who may not enter."""
    for sequence, reason in answer.rejected:
        if sequence == 0:
            raise OSError(errno.EPROTO, reason)


def _poll_of(answers: list[Ack], *, reconnected: bool, connected: bool) -> Poll:
    if not answers:
        return Poll(reconnected=reconnected, connected=connected)
    return Poll(
        acknowledged=tuple(sequence for answer in answers for sequence in answer.sequences),
        rejected=tuple(refusal for answer in answers for refusal in answer.rejected),
        credit=answers[-1].credit,
        reconnected=reconnected,
        connected=connected,
    )
