"""What browsers ask before a page of another origin may send something, and what they are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qmon_agent.http.refusals import Send

CROSSING_HEADERS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"*, retry-after, x-sentry-error, x-sentry-rate-limits"),
    (b"cross-origin-resource-policy", b"cross-origin"),
)
"""Anybody's page may send and read the answer; without cookies, for which `*` does not count."""

_AGE_S = b"3600"


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether this is a browser asking for permission, which it does without any token."""
    return method == "OPTIONS" and "access-control-request-method" in headers


async def answer_preflight(methods: Sequence[str], send: Send) -> None:
    """Permit every header: the body is checked like everybody's when it comes."""
    headers = [
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (b"access-control-allow-headers", b"*, authorization"),
        (b"access-control-max-age", _AGE_S),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
