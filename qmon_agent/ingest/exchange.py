"""One HTTP request to a source: what came, from whom, and the answer to it."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from urllib.parse import parse_qsl

import msgspec

from qmon_agent.ingest.entrance import Receive, Scope, Send
from qmon_agent.ingest.outcome import Peer

SENDER = "qmon.sender"
"""Where the gate writes down which token a request came with."""


async def body_of(receive: Receive) -> bytes:
    """The whole body; how large it may be is the gate's affair."""
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def peer_of(scope: Scope) -> Peer:
    """Who is asking, as budgets are kept: by address, and by token where the gate has seen one."""
    address = (scope.get("client") or ("unix",))[0]
    return Peer(name=f"ip:{address}{scope.get(SENDER, '')}")


def sender_of(token: str) -> str:
    """What tells two tokens apart, and is of no use to whoever reads it."""
    return f"#{blake2b(token.encode('utf-8', 'replace'), digest_size=3).hexdigest()}"


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
        body = msgspec.json.encode(document)
        told = {"content-type": "application/json", "content-length": str(len(body))}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in told.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})
        await self._send({"type": "http.response.body", "body": body})
