"""uvicorn inside our loop: no signal handlers, no ticking, sockets bound by us."""

from __future__ import annotations

import os
import socket
import ssl
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import Server

from qmon_agent.http.refusals import AsgiApp
from qmon_agent.ingest.listening import peer_of

_CONCURRENT = 512


class HttpServer:
    """One listening socket and the application behind it."""

    def __init__(
        self,
        app: AsgiApp,
        listener: socket.socket,
        *,
        protocol: type[HttpToolsProtocol] = HttpToolsProtocol,
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
