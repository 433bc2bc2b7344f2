"""What a Prometheus scrapes: the totals as text, by a small server of its own."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import msgspec

from ._remote_write import cumulative
from ._series import Labels, escaped, named_by, number
from ._totals import Total, Totals

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_TYPES = {"counter": "counter", "gauge": "gauge", "distribution": "histogram"}
_PIECE_BYTES = 1 << 16


class Scraped(ThreadingHTTPServer):
    """Answers GET /metrics; on threads of its own, each request by itself."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, place: tuple[str, int], totals: Totals, *, rules: Rules) -> None:
        super().__init__(place, _Handler)
        self.totals, self.rules = totals, rules
        self._thread = Thread(target=self.serve_forever, name="qmon-scraped", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(1)

    def handle_error(self, *_: Any) -> None:
        """Who scrapes may leave when it likes."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How it is told, and to whom."""

    bounds: Sequence[float]
    keep_s: float
    token: str


class _Handler(BaseHTTPRequestHandler):
    server: Scraped
    timeout = 10.0

    def do_GET(self) -> None:
        rules = self.server.rules
        said = self.headers.get("authorization", "").encode()
        if rules.token and not hmac.compare_digest(said, f"Bearer {rules.token}".encode()):
            self.send_error(401)
        elif self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
        else:
            self._tell(rules)

    def _tell(self, rules: Rules) -> None:
        self.send_response(200)
        self.send_header("content-type", CONTENT_TYPE)
        self.send_header("connection", "close")
        self.end_headers()
        lately = self.server.totals.heard_within(int(rules.keep_s * 1000))
        for piece in pieces(text_of(lately, rules.bounds)):
            self.wfile.write(piece)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


def text_of(totals: Iterable[tuple[bytes, Total]], bounds: Sequence[float]) -> Iterator[str]:
    """Lines in the text format, each family with its type before it."""
    before = ""
    for key, total in totals:
        name, labels = named_by(key)
        if name != before:
            yield f"# TYPE {name} {_TYPES[total.kind]}\n"
            before = name
        if total.kind == "distribution":
            yield from _histogram(name, labels, total=total, bounds=bounds)
        else:
            yield _line(name, labels, total.value)


def pieces(lines: Iterable[str]) -> Iterator[bytes]:
    """So much at once that writing is cheap, and no more than that."""
    piece, size = [], 0
    for line in lines:
        piece.append(line)
        size += len(line)
        if size >= _PIECE_BYTES:
            yield "".join(piece).encode()
            piece, size = [], 0
    yield "".join(piece).encode()


def _histogram(
    name: str, labels: Labels, *, total: Total, bounds: Sequence[float]
) -> Iterator[str]:
    for bound, count in cumulative(total, bounds):
        yield _line(f"{name}_bucket", (*labels, ("le", number(bound))), count)
    yield _line(f"{name}_sum", labels, total.value)
    yield _line(f"{name}_count", labels, total.count)


def _line(name: str, labels: Labels, value: float) -> str:
    told = f"{{{escaped(labels)}}}" if labels else ""
    return f"{name}{told} {number(value)}\n"
