"""What the gate says no with, and the headers every answer carries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import msgspec

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

SECURITY_HEADERS = tuple(
    (name.encode(), value.encode())
    for name, value in {
        "cache-control": "no-store",
        "content-security-policy": (
            "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }.items()
)


WORDS = {408: "too_slow", 413: "too_large", 415: "packing", 421: "host", 429: "too_much"}
"""What refusals are counted as, by status; any other makes no sense."""


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """A request that gets no further than the gate."""

    def __init__(self, status: int, reason: str, *, word: str = "", **headers: str) -> None:
        """`word` is what it is counted as, where the status does not say it."""
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.word = word or WORDS.get(status, "malformed")
        self.headers = headers

    async def send_to(self, send: Send, *, worded: tuple[int, str, bytes] | None = None) -> None:
        """Answers with a status, a content type and a body; with its own unless they are given."""
        usual = (self.status, "application/json", msgspec.json.encode({"error": self.reason}))
        status, kind, body = worded or usual
        headers = [
            (name.replace("_", "-").encode(), value.encode("latin-1"))
            for name, value in {"content_type": kind, **self.headers}.items()
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def with_security_headers(send: Send, *, beside: Headers = ()) -> Send:
    """Adds the headers to an answer, but for those it sets itself, or that stand in `beside`."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            told = [*message.get("headers", ()), *beside]
            own = {name.lower() for name, _ in told}
            added = (pair for pair in SECURITY_HEADERS if pair[0] not in own)
            message = {**message, "headers": [*told, *added]}
        await send(message)

    return sending
