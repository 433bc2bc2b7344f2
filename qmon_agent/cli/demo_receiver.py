"""A webhook receiver on loopback: a real HTTP server that notes when each alert arrived."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

_MS = 1_000_000


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as it arrived."""

    key: str
    alert: str
    title: str
    status: str
    event_time: int
    received: int

    @property
    def delay_ms(self) -> float:
        """From the event that the alert is about to its arrival here."""
        return (self.received - self.event_time) / _MS


class Receiver:
    """Serves on a free port from its start to its stop."""

    def __init__(self) -> None:
        self._arrivals: dict[str, Arrival] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/alerts"

    @property
    def firing(self) -> list[Arrival]:
        """What arrived about something beginning, each message once however often it was sent."""
        return [arrival for arrival in list(self._arrivals.values()) if arrival.status == "firing"]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def note(self, document: dict[str, Any], received: int) -> None:
        """Take one message in; a repetition changes nothing."""
        about = document["qmon"]
        arrival = Arrival(
            key=about["key"],
            alert=document["commonLabels"]["alertname"],
            title=document["commonAnnotations"]["summary"],
            status=document["status"],
            event_time=about["event_time"],
            received=received,
        )
        self._arrivals.setdefault(arrival.key, arrival)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        note = self.note

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                note(json.loads(body), time.time_ns())
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing: the terminal is the demo's."""

        return Handler
