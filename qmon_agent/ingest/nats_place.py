"""Where frames travel by NATS, and as whom: the options of the source and of the sink."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from qmon_agent.domain.bounds import Seconds
from qmon_agent.domain.errors import ConfigError
from qmon_agent.settings.certificates import tls_context

if TYPE_CHECKING:
    from nats.aio.client import Client

# The server itself asks every two minutes whether we are there; half a connection is found sooner.
_PING_S = 15


async def _say_nothing(_: Exception) -> None:
    """What goes wrong is told by what was asked for; printing is not for a daemon."""


class NatsPlace(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One subject of a server, or of a cluster of them."""

    servers: tuple[str, ...]
    """Where: `nats://host:4222`, or `tls://...`; the others are tried when one is away."""
    subject: str = "qmon.frames"
    """Which subject; a stream has to keep it."""
    user: str = ""
    """Where the server wants a name."""
    password: str = ""
    """And a password."""
    token: str = ""
    """Or a token instead of both."""
    credentials: str = ""
    """Or a file of credentials (JWT and NKey)."""
    ca_file: str = ""
    """Certificates to trust instead of the usual ones, as PEM."""
    certificate: str = ""
    """File of our own certificate chain, for a server that wants one."""
    key: str = ""
    """File of that certificate's private key, unless it is in the same file."""
    timeout_s: Seconds = 10.0
    """How long connecting and each acknowledgement may take."""

    def __post_init__(self) -> None:
        if not self.servers:
            raise ConfigError("servers", "at least one is needed")

    @property
    def shown_servers(self) -> list[str]:
        """Without the names and passwords that may stand in them."""
        return [each.rpartition("@")[2] for each in self.servers]

    async def connect(
        self, client: Client, trouble: Callable[[Exception], Awaitable[None]] = _say_nothing
    ) -> None:
        """Once: who lost the connection makes a client anew, and knows what it had asked for."""
        await client.connect(
            [*self.servers],
            name="qmon-agent",
            allow_reconnect=False,
            connect_timeout=self.timeout_s,  # type: ignore[arg-type]  # seconds, whole or not
            ping_interval=_PING_S,
            error_cb=trouble,
            **self._access(),
        )

    def _access(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "user": self.user,
            "password": self.password,
            "token": self.token,
            "user_credentials": self.credentials,
        }
        if self.ca_file or self.certificate:
            told["tls"] = tls_context(self.ca_file, self.certificate, self.key)
        return {key: value for key, value in told.items() if value}
