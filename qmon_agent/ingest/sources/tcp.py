"""Frames over TCP, from processes that share no file system with the agent."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

import msgspec

from qmon_agent.domain.bounds import Amount
from qmon_agent.ingest.listening import listen_tcp
from qmon_agent.ingest.sources import Door
from qmon_agent.ingest.streams import StreamConnections
from qmon_agent.settings.certificates import serving_context


class TcpSource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """`[sources.tcp]`: off unless enabled; beyond loopback it wants a token, and should have TLS.

    A connection that needs a token sends `qmon-token TOKEN` as its first message. The kernel says
    who is on a unix socket; here nobody does, so only loopback may go without.
    """

    enabled: bool = False
    listen: str = "127.0.0.1:7691"
    """Address to listen at."""
    token_required: bool | None = None
    """Unset: required unless the address is a loopback one."""
    certificate: str = ""
    """File of the certificate chain; with it, the source speaks TLS."""
    key: str = ""
    """File of the certificate's private key."""
    client_authority: str = ""
    """Certificates a client must be signed by (mutual TLS)."""
    max_connections: Amount = 4_096
    """More are turned away."""

    def __post_init__(self) -> None:
        self._connections: StreamConnections | None = None
        self._address = self.listen

    async def start(self, door: Door) -> None:
        tls = serving_context(self.certificate, self.key, self.client_authority, path="sources.tcp")
        listener = listen_tcp(self.listen, path="sources.tcp.listen")
        host = listener.getsockname()[0]
        needs_token = self.token_required
        if needs_token is None:
            needs_token = not is_loopback(host)
        self._address = "{}:{}".format(*listener.getsockname()[:2])
        self._connections = StreamConnections(
            door, limit=self.max_connections, needs_token=needs_token
        )
        await self._connections.serve_tcp(listener, tls=tls)

    async def stop(self) -> None:
        if self._connections is not None:
            await self._connections.stop()

    def describe(self) -> Mapping[str, Any]:
        count = self._connections.count if self._connections else 0
        return {"listen": self._address, "tls": bool(self.certificate), "connections": count}


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
