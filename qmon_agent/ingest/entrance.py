"""How a source comes in through the agent's HTTP port: at which paths, for whom, how packed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

Headers = Mapping[str, str]
"""Names in lower case."""
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Entrance(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate needs to know of a source before it lets anybody through to it."""

    paths: tuple[str, ...]
    """As Starlette writes them: `/api/{project}/envelope/`."""
    methods: tuple[str, ...] = ("POST",)
    role: Literal["open", "ingest", "read", "operator", "admin"] = "ingest"
    """`open`: the source looks for the token itself, because it stands in the body."""
    from_browsers: bool = False
    """Whether pages of other origins may send: answered with CORS headers, without cookies."""
    packings: frozenset[str] = frozenset()
    """Content encodings that the source unpacks itself, within the limits of a body."""
    max_body_bytes: int = 0
    """The largest body that is taken, unpacked or not; 0 is what `[http]` says."""
    refusal_of: Callable[[Headers, int, str], tuple[int, str, bytes]] | None = None
    """How the gate says no in the source's own words: of headers, status and reason, the status,
    the content type and the body of the answer."""
    token_of: Callable[[Headers, str], str] | None = None
    """Finds the token in headers and query string where it is not in `Authorization`."""


@runtime_checkable
class Mounted(Protocol):
    """A source that is an ASGI application, mounted at its entrance."""

    @property
    def entrance(self) -> Entrance: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...
