"""uvicorn inside our loop: no signal handlers, no ticking, sockets bound by us."""

from __future__ import annotations

import os
import socket
import ssl
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import Server

from qmon_agent.http.joining import Joining
from qmon_agent.http.refusals import AsgiApp
from qmon_agent.ingest.listening import peer_of

_CONCURRENT = 512
# Connections of one address: it leaves some to others, however many it opens.
_OF_ONE = _CONCURRENT * 3 // 4
# A connection that asks nothing is held no longer than this.
_SILENT_S = 15.0
_LATER = b"HTTP/1.1 503 later\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class FairProtocol(HttpToolsProtocol):
    """HTTP of which no address takes all connections, asking or not."""

    def connection_made(self, transport: Any) -> None:
        address = (transport.get_extra_info("peername") or ("",))[0]
        others = sum(_address_of(one) == address for one in self.connections)
        if others >= _OF_ONE:
            transport.write(_LATER)
            transport.close()
            return
        joining: Any = Joining(transport)
        self._joining = joining
        super().connection_made(joining)
        self.loop.call_later(_SILENT_S, self._end_silence)

    def data_received(self, data: bytes) -> None:
        # Of one that was turned away, bytes may come before it is gone.
        if self in self.connections:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self.connections:
            super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._joining.flush()
        super().on_response_complete()

    def _end_silence(self) -> None:
        asked: object = self.cycle
        if asked is None and not self.transport.is_closing():
            self.transport.close()


def _address_of(connection: object) -> str:
    client: tuple[str, int] | None = getattr(connection, "client", None)
    return client[0] if client else ""


class HttpServer:
    """One listening socket and the application behind it."""

    def __init__(
        self,
        app: AsgiApp,
        listener: socket.socket,
        *,
        protocol: type[HttpToolsProtocol] = FairProtocol,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._listener = listener
        config = Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            limit_concurrency=_CONCURRENT,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=64 * 1024,
        )
        config.load()
        config.ssl = tls
        self._server = Server(config)

    async def start(self) -> None:
        # `serve` would take over our signals and wake up ten times a second.
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self._server.startup(sockets=[self._listener])

    async def stop(self) -> None:
        if self._server.started:
            await self._server.shutdown(sockets=[self._listener])
        self._listener.close()


class OwnerOnlyProtocol(HttpToolsProtocol):
    """HTTP for the agent's own user and root; the kernel says who is there."""

    def connection_made(self, transport: Any) -> None:
        if peer_of(transport.get_extra_info("socket")).uid in {0, None, os.getuid()}:
            super().connection_made(transport)
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        # A stranger's bytes may come before its connection is gone.
        if hasattr(self, "flow"):
            super().data_received(data)


def url_of(listener: socket.socket, *, is_secure: bool = False) -> str:
    host, port = listener.getsockname()[:2]
    scheme = "https" if is_secure else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
