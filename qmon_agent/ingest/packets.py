"""One connection on which every message arrives whole."""

from __future__ import annotations

import asyncio
import mmap
import socket
from collections import deque
from collections.abc import Callable

from qmon_agent.ingest.answers import Answers
from qmon_agent.ingest.cutter import PREFIX_BYTES
from qmon_agent.ingest.listening import peer_of
from qmon_agent.ingest.pacing import REFUSAL_PAUSE_S, Pace
from qmon_agent.ingest.sources import Door
from qmon_sdk.protocol.frames import MAX_FRAME_BYTES

# Per wake-up: enough to amortise the loop's own cost, few enough to be fair to the others.
_MESSAGES_A_TURN = 64


class PacketReader:
    """What all packet connections share: the pipeline, and one buffer, as one reads at a time."""

    def __init__(self, door: Door) -> None:
        self.door = door
        # One byte more than allowed, so that a message too large is seen to be so. Mapped, as pages
        # that no message ever reached cost no memory.
        self.buffer = memoryview(mmap.mmap(-1, PREFIX_BYTES + MAX_FRAME_BYTES + 1))


class PacketConnection:
    """Reads messages while admission allows it, and answers them."""

    def __init__(
        self,
        connection: socket.socket,
        reader: PacketReader,
        *,
        gone: Callable[[PacketConnection], None],
    ) -> None:
        connection.setblocking(False)
        admission = reader.door.intake.admission
        self._loop = asyncio.get_running_loop()
        self._socket = connection
        self._reader = reader
        self._gone = gone
        self._peer = peer_of(connection)
        self._unsent: deque[bytes] = deque()
        self._is_open = self._is_reading = True
        self._answers = Answers(self._send, refuse=self._refuse, admission=admission)
        self._pace = Pace(self._peer, admission=admission, pause=self._pause, resume=self._resume)
        self._loop.add_reader(connection.fileno(), self._read)
        reader.door.company.came(self._peer, connection)

    def stop_reading(self) -> None:
        """Takes nothing new; closes once everything taken has been answered."""
        self._is_reading = False
        self._pause()
        self._close_when_answered()

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()
            self._gone(self)
            self._reader.door.company.gone(self._peer)

    def _read(self) -> None:
        buffer = self._reader.buffer
        # Looked at before anything is read: with many connections, one message of each is much.
        if not self._pace.may_read():
            return
        for _ in range(_MESSAGES_A_TURN):
            try:
                size, _, flags, _ = self._socket.recvmsg_into([buffer])
            except BlockingIOError:
                return
            except OSError:
                self.close()
                return
            if not size:
                self.close()
                return
            self._take(bytes(buffer[:size]), is_cut=bool(flags & socket.MSG_TRUNC))
            if self._pace.is_paused:
                return

    def _take(self, message: bytes, *, is_cut: bool) -> None:
        declared = int.from_bytes(message[:PREFIX_BYTES], "big")
        frame = message[PREFIX_BYTES:]
        if not is_cut and declared != len(frame):
            # The kernel kept the edges, so a length that disagrees is a sender's mistake: as it is.
            self._reader.door.vitals.add("messages_with_wrong_length")
            declared = len(frame)
        self._answers.expect(
            self._reader.door.intake.take(frame, self._peer, size=max(declared, len(frame)))
        )
        self._pace.charge(len(message), awaited=self._answers.awaited)

    def _send(self, message: bytes) -> None:
        if self._is_open:
            self._unsent.append(message)
            if len(self._unsent) == 1:
                self._send_on()

    def _send_on(self) -> None:
        while self._unsent and self._is_open:
            try:
                self._socket.send(self._unsent[0])
            except BlockingIOError:
                self._loop.add_writer(self._socket.fileno(), self._send_on)
                return
            except OSError:
                self.close()
                return
            self._unsent.popleft()
        if self._is_open:
            self._loop.remove_writer(self._socket.fileno())
        self._close_when_answered()

    def _refuse(self) -> None:
        """Not now: a sender sends again after a new connection, so this one ends, unhurriedly."""
        if self._is_open and not self._pace.is_paused:
            self._pace.wait(REFUSAL_PAUSE_S)
            self._loop.call_later(REFUSAL_PAUSE_S, self.close)
        self._close_when_answered()

    def _close_when_answered(self) -> None:
        if self._is_reading or self._unsent:
            return
        if self._answers.is_complete:
            self.close()

    def _pause(self) -> None:
        if self._is_open:
            self._loop.remove_reader(self._socket.fileno())

    def _resume(self) -> None:
        if self._is_open and self._is_reading:
            self._loop.add_reader(self._socket.fileno(), self._read)
