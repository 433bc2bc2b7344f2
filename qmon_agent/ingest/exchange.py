"""One HTTP request to a source: what came, from whom, and the answer to it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from qmon_agent.ingest.entrance import Receive, Scope, Send
from qmon_agent.ingest.outcome import Peer


async def body_of(receive: Receive) -> bytes:
    """The whole body; how large it may be is the gate's affair."""
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def peer_of(scope: Scope) -> Peer:
    """Who is asking, as budgets are kept: by address."""
    return Peer(name=f"ip:{(scope.get('client') or ('unix',))[0]}")


class Exchange:
    """A request read whole, since the gate has read it already, and its one answer."""

    def __init__(self, scope: Scope, send: Send, body: bytes) -> None:
        self.path: str = scope["path"]
        self.method: str = scope["method"]
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        self.query = dict(parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=100))
        self.parameters: Mapping[str, str] = scope.get("path_params", {})
        self.body = body
        self.peer = peer_of(scope)
        self._send = send

    @classmethod
    async def read(cls, scope: Scope, receive: Receive, send: Send) -> Exchange:
        return cls(scope, send, await body_of(receive))

    async def answer(self, status: int, document: object, **headers: str) -> None:
        """Answer in JSON; `retry_after="1"` is the header `retry-after`."""
        told = {"content-type": "application/json"}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in told.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})
        await self._send({"type": "http.response.body", "body": msgspec.json.encode(document)})
