"""Connections on which bytes arrive as they like: TCP, TLS, and unix streams."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import cast

from qmon_agent.ingest.answers import Answers
from qmon_agent.ingest.cutter import PREFIX_BYTES, Cutter
from qmon_agent.ingest.listening import peer_of
from qmon_agent.ingest.outcome import Peer
from qmon_agent.ingest.pacing import REFUSAL_PAUSE_S, Pace
from qmon_agent.ingest.shares import Level
from qmon_agent.ingest.sources import Door
from qmon_sdk.protocol.frames import Ack, encode_ack, pack_length

# The first message of a connection that must show a token. `q` is no beginning of a frame.
HELLO = b"qmon-token "
# A stranger holds a connection no longer than this without showing one.
_HELLO_S = 10.0
# What a connection may hold of a frame that is not whole, however much its sender holds.
_TORN_BYTES = 64 * 1024


class StreamConnections:
    """Every stream connection of one source."""

    def __init__(self, door: Door, *, limit: int, needs_token: bool = False) -> None:
        self.door = door
        self.needs_token = needs_token
        self._limit = limit
        self._open: set[StreamConnection] = set()
        self._server: asyncio.Server | None = None

    @property
    def count(self) -> int:
        return len(self._open)

    async def serve_unix(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._connection, sock=listener)

    async def serve_tcp(
        self, listener: socket.socket, *, tls: ssl.SSLContext | None = None
    ) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, sock=listener, ssl=tls)

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for connection in tuple(self._open):
            connection.stop_reading()

    def _connection(self) -> StreamConnection:
        return StreamConnection(self)

    def opened(self, connection: StreamConnection) -> bool:
        if len(self._open) >= self._limit:
            return False
        self._open.add(connection)
        return True

    def closed(self, connection: StreamConnection) -> None:
        self._open.discard(connection)


class StreamConnection(asyncio.Protocol):
    """Cuts frames out of the stream while admission allows it, and answers them."""

    def __init__(self, home: StreamConnections) -> None:
        self._home = home
        self._cutter = Cutter()
        self._torn = 0
        self._is_reading = True
        self._may_speak = not home.needs_token
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Said to the type checker only: uvloop's transports do not inherit from asyncio's.
        transport = cast("asyncio.Transport", transport)
        self._transport = transport
        self._peer = _peer(transport)
        admission = self._home.door.intake.admission
        self._answers = Answers(self._send, refuse=self._refuse, admission=admission)
        self._pace = Pace(self._peer, admission=admission, pause=self._pause, resume=self._resume)
        if self._peer.pid:
            self._home.door.company.came(self._peer, transport.get_extra_info("socket"))
        if not self._home.opened(self):
            transport.close()
        elif not self._may_speak:
            asyncio.get_running_loop().call_later(_HELLO_S, self._give_up_on_stranger)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self._forget_torn()
        self._home.closed(self)
        self._home.door.company.gone(self._peer)

    def data_received(self, data: bytes) -> None:
        for cut in self._cutter.feed(data):
            if cut.frame.startswith(HELLO) or not self._may_speak:
                self._greet(cut.frame)
                continue
            answer = self._home.door.intake.take(cut.frame, self._peer, size=cut.declared)
            self._answers.expect(answer)
            size = len(cut.frame) + PREFIX_BYTES
            self._pace.charge(size, awaited=self._answers.awaited)
        self._hold_torn(self._cutter.held)
        if self._cutter.is_hopeless:
            self.stop_reading()

    def _hold_torn(self, size: int) -> None:
        """Frames that are not whole yet take memory too: who begins too many has to go."""
        bodies = self._home.door.intake.admission.bodies
        grown, self._torn = size - self._torn, size
        if grown <= 0:
            bodies.release(-grown, self._peer)
            return
        is_full = bodies.is_full_for(self._peer, grown)
        bodies.hold(grown, self._peer)
        is_large = size > _TORN_BYTES or bodies.level is not Level.FREE
        if is_full and is_large and self._transport is not None:
            self._home.door.vitals.add("connections_refused", reason="memory")
            self._home.door.intake.refuse(self._peer)
            self._transport.abort()
            self._forget_torn()

    def _forget_torn(self) -> None:
        """At once: what refers to a connection goes in circles, and is collected some time."""
        self._cutter = Cutter()
        self._hold_torn(0)

    def stop_reading(self) -> None:
        """Takes nothing new; closes once everything taken has been answered."""
        self._is_reading = False
        self._pause()
        self._close_when_answered()

    def _greet(self, hello: bytes) -> None:
        """Looks at a token, where one is wanted; a stranger is told why, and goes."""
        token = hello.removeprefix(HELLO)
        if self._may_speak or self._transport is None:
            return
        if hello.startswith(HELLO) and self._home.door.may_enter(token.decode("latin-1")):
            self._may_speak = True
            return
        self._home.door.vitals.add("connections_refused", reason="token")
        reason = "the first message must be a token with scope ingest"
        self._send(pack_length(encode_ack(Ack(rejected=((0, reason),)))))
        self._transport.close()

    def _give_up_on_stranger(self) -> None:
        if not self._may_speak and self._transport is not None:
            self._transport.close()

    def _send(self, message: bytes) -> None:
        if self._transport is not None:
            self._transport.write(message)
        self._close_when_answered()

    def _refuse(self) -> None:
        """Not now: a sender sends again after a new connection, so this one ends, unhurriedly."""
        if self._transport is not None and not self._pace.is_paused:
            self._pace.wait(REFUSAL_PAUSE_S)
            asyncio.get_running_loop().call_later(REFUSAL_PAUSE_S, self._transport.close)
        self._close_when_answered()

    def _close_when_answered(self) -> None:
        if not self._is_reading and self._answers.is_complete and self._transport is not None:
            self._transport.close()

    def _pause(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._transport is not None and self._is_reading:
            self._transport.resume_reading()


def _peer(transport: asyncio.Transport) -> Peer:
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family == socket.AF_UNIX:
        return peer_of(connection)
    address = transport.get_extra_info("peername") or ("tcp",)
    return Peer(name=f"ip:{address[0]}")
