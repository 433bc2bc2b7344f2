"""The native way in: a unix socket whose kernel keeps the edges of messages."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from qmon_agent.domain.bounds import Amount
from qmon_agent.ingest.listening import listen_unix, remove_socket
from qmon_agent.ingest.packets import PacketConnection, PacketReader
from qmon_agent.ingest.sources import Door
from qmon_agent.ingest.streams import StreamConnections


class UnixSource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """`[sources.unix]`: instrumented processes of this host."""

    enabled: bool = True
    path: str = ""
    """Path of the socket; empty means the usual place."""
    mode: str = "0660"
    """Permissions of the socket: who may write to it."""
    kind: Literal["auto", "packets", "stream"] = "auto"
    """Packets where the platform has them, else a stream."""
    max_connections: Amount = 4_096
    """More are turned away."""

    def __post_init__(self) -> None:
        self._listener: socket.socket | None = None
        self._path = Path(self.path)
        self._packets: set[PacketConnection] = set()
        self._streams: StreamConnections | None = None

    async def start(self, door: Door) -> None:
        self._path = Path(self.path) if self.path else door.socket
        kind = socket.SOCK_SEQPACKET if self._speaks_packets() else socket.SOCK_STREAM
        option = "sources.unix.path" if self.path else "--socket"
        listener = listen_unix(self._path, kind=kind, mode=int(self.mode, 8), option=option)
        self._listener = listener
        if kind == socket.SOCK_STREAM:
            self._streams = StreamConnections(door, limit=self.max_connections)
            await self._streams.serve_unix(listener)
            return
        self._reader = PacketReader(door)
        asyncio.get_running_loop().add_reader(listener.fileno(), self._accept)

    async def stop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is None:
            return
        if self._streams is not None:
            await self._streams.stop()
        else:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        remove_socket(self._path, listener)
        for connection in tuple(self._packets):
            connection.stop_reading()

    def describe(self) -> Mapping[str, Any]:
        streams = self._streams.count if self._streams else 0
        return {"path": str(self._path), "connections": len(self._packets) + streams}

    def _speaks_packets(self) -> bool:
        if self.kind == "auto":
            return hasattr(socket, "SOCK_SEQPACKET") and _connects_by_packets()
        return self.kind == "packets"

    def _accept(self) -> None:
        """Takes every caller that waits, so that one wake-up serves a burst of them."""
        listener = self._listener
        while listener is not None:
            try:
                connection, _ = listener.accept()
            except OSError:
                # Nobody waits any more, or no descriptor is free: the next wake-up tries again.
                return
            if len(self._packets) >= self.max_connections:
                connection.close()
                continue
            self._packets.add(
                PacketConnection(connection, self._reader, gone=self._packets.discard)
            )


def _connects_by_packets() -> bool:
    """Whether this platform has the kind at all: macOS names it and then refuses."""
    try:
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).close()
    except OSError:
        return False
    return True
