"""Datagrams and prefixed packets, read as they come; who sends them waits for nobody."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Callable

from qmon_agent.ingest.admission import Admission
from qmon_agent.ingest.outcome import Peer
from qmon_agent.vitals import Vitals

MAX_BYTES = 64 * 1024
"""Of one datagram or packet: no UDP datagram is larger."""

_IN_ONE_TURN = 64
_TURNS_AT_THE_END = 1_000
_ROOM_BYTES = 8 << 20  # what the kernel may hold while the loop does something else
_MEMINFO, _MEMINFO_BYTES, _DROPS = 55, 36, 8  # Linux: SO_MEMINFO, an array of nine 32-bit numbers
_PREFIX = struct.Struct("<I")

Take = Callable[[bytes], None]


class DatagramReader:
    """Reads one socket on the loop: a bounded number of datagrams each turn."""

    def __init__(self, taker: socket.socket, take: Take, *, name: str, door: DoorParts) -> None:
        self._socket = taker
        self._take = take
        self._admission, self._vitals = door
        self._name = name
        self._peer = Peer(name=name)
        self._lost = 0
        self._loop = asyncio.get_running_loop()
        self._closed = False
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM_BYTES)
        self._resume()

    def close(self) -> None:
        """Reads what has come already, and no more."""
        if not self._closed:
            self._loop.remove_reader(self._socket.fileno())
            for _ in range(_TURNS_AT_THE_END):
                if not self._take_some():
                    break
            self.count_lost()
            self._closed = True

    def count_lost(self) -> None:
        """Books what the kernel had no room for, where it tells."""
        if sys.platform != "linux" or self._closed:
            return
        try:
            told = self._socket.getsockopt(socket.SOL_SOCKET, _MEMINFO, _MEMINFO_BYTES)
            lost = struct.unpack("9I", told)[_DROPS]
        except (OSError, struct.error):
            return
        if lost != self._lost:
            grown = (lost - self._lost) % (1 << 32)
            self._lost = lost
            self._vitals.add("datagrams_lost", grown, source=self._name, reason="kernel_full")

    def _resume(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._socket.fileno(), self._read)

    def _read(self) -> None:
        delay = self._admission.charge(self._peer, self._take_some())
        if delay > 0:
            # What comes meanwhile waits in the kernel, which counts what it has no room for.
            self._loop.remove_reader(self._socket.fileno())
            self._loop.call_later(delay, self._resume)

    def _take_some(self) -> int:
        """Bytes that were there to be taken: what came together is added up together."""
        taken: list[bytes] = []
        with contextlib.suppress(OSError):
            receive = self._socket.recv
            taken.extend(receive(MAX_BYTES + 1) for _ in range(_IN_ONE_TURN))
        if not taken:
            return 0
        if self._admission.is_squeezed:
            lost = len(taken)
            self._vitals.add("datagrams_lost", lost, source=self._name, reason="memory")
        else:
            self._take(b"\n".join(map(self._whole, taken)))
        return sum(map(len, taken))

    def _whole(self, data: bytes) -> bytes:
        """Of a datagram that was cut off, the lines that are whole."""
        if len(data) <= MAX_BYTES:
            return data
        self._vitals.add("datagrams_cut", source=self._name)
        return data[: data.rfind(b"\n") + 1]


DoorParts = tuple[Admission, Vitals]


class PacketStreams:
    """Connections on which each packet has its length before it, four bytes, the lowest first."""

    def __init__(self, take: Take, *, name: str, door: DoorParts, limit: int) -> None:
        self._take = take
        self._name = name
        self._admission, self._vitals = door
        self._limit = limit
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    @property
    def count(self) -> int:
        return len(self._connections)

    async def serve(self, listener: socket.socket) -> None:
        self._server = await asyncio.start_unix_server(
            self._serve_one, sock=listener, limit=2 * MAX_BYTES
        )

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for writer in tuple(self._connections):
                writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= self._limit:
            self._vitals.add("connections_refused", source=self._name)
            writer.close()
            return
        self._connections.add(writer)
        try:
            await self._read(reader)
        except asyncio.IncompleteReadError as torn:
            if torn.partial:
                self._vitals.add("packets_cut", source=self._name)
        except OSError:
            self._vitals.add("connections_lost", source=self._name)
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        peer = Peer(name=self._name)
        while True:
            await self._admission.room()
            (size,) = _PREFIX.unpack(await reader.readexactly(_PREFIX.size))
            if size > MAX_BYTES:
                # Nobody knows where the next packet begins.
                self._vitals.add("packets_cut", source=self._name)
                return
            self._take(await reader.readexactly(size))
            if delay := self._admission.charge(peer, size):
                await asyncio.sleep(delay)
