"""One HTTP exchange, with its phases told apart."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import SplitResult, urljoin, urlsplit

import msgspec

from qmon_agent.domain.bounds import Bytes
from qmon_agent.domain.errors import ConfigError

from ._link import Stopwatch, connected, days_left, secured

REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}
_MOST_REDIRECTS = 10


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What to send."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = {}
    body: bytes = b""
    max_body_bytes: Bytes = 1 << 20
    follow: bool = False
    context: ssl.SSLContext | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    status: int
    url: str
    location: str = ""
    body: bytes = b""
    days_left: float | None = None


def check_url(url: str, path: str = "url") -> None:
    """Raises ConfigError where nobody can be asked."""
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in _PORTS and parts.hostname and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right:
        raise ConfigError(path, f"{url!r} is no URL of http or https")


def plain_url(url: str) -> str:
    """Without what may be a secret: user, password and query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def fetch(ask: Ask, watch: Stopwatch) -> Answer:
    """The last answer, where redirects are followed; raises OSError and its kind."""
    url = ask.url
    for _ in range(_MOST_REDIRECTS):
        answer = _exchange(msgspec.structs.replace(ask, url=url), watch)
        if not (ask.follow and answer.status in REDIRECTS and answer.location):
            return answer
        before, url = urlsplit(url), urljoin(url, answer.location)
        if urlsplit(url).netloc != before.netloc:
            # A token is for the host it was given for.
            ask = msgspec.structs.replace(ask, headers={})
    raise ConnectionError(f"more than {_MOST_REDIRECTS} redirects")


def _exchange(ask: Ask, watch: Stopwatch) -> Answer:
    parts = urlsplit(ask.url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    if parts.scheme not in _PORTS:
        raise ConnectionError(f"led to {parts.scheme!r}, which is not asked")
    with connected(host, port, watch) as plain:
        if parts.scheme == "http":
            return _speak(ask, parts, watch=watch, link=plain)
        context = ask.context or ssl.create_default_context()
        with secured(plain, host, watch=watch, context=context) as link:
            return _speak(ask, parts, watch=watch, link=link)


def _speak(ask: Ask, parts: SplitResult, *, watch: Stopwatch, link: socket.socket) -> Answer:
    talk = http.client.HTTPConnection(parts.netloc.rpartition("@")[2])
    talk.sock = link
    # Looked at before the answer: whoever closes behind it takes the certificate along.
    days = days_left(link) if isinstance(link, ssl.SSLSocket) else None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with watch.phase("first_byte"):
            headers = {"User-Agent": "qmon-agent", "Connection": "close", **ask.headers}
            talk.request(ask.method, path, body=ask.body or None, headers=headers)
            response = talk.getresponse()
        with watch.phase("transfer"):
            body = response.read(ask.max_body_bytes)
    except http.client.HTTPException as problem:
        _ = watch.left_s
        raise ConnectionError(f"no HTTP: {type(problem).__name__}") from problem
    return Answer(
        status=response.status,
        url=ask.url,
        location=response.headers.get("Location", ""),
        body=body,
        days_left=days,
    )
