"""A receiver of webhooks on a thread, in the process that measures: what came, and when.

It also has a page for Prometheus, so that one program tells both of the same moment.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Keeps every request: its path, its body in Alertmanager's form, and the moment it was in."""

    def __init__(self, port):
        self.port = port
        self.page = ""
        """What Prometheus finds under `/metrics`."""
        self._news = threading.Condition()
        self._got = []

    def address(self, path) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def take(self, path, body, at) -> None:
        with self._news:
            self._got.append((path, body, at))
            self._news.notify_all()

    def got(self, path) -> list[tuple[dict, float]]:
        """Bodies to a path, with the moments by the clock of `time.perf_counter`."""
        with self._news:
            found = [(body, at) for to, body, at in self._got if to == path]
        return [(json.loads(body), at) for body, at in found]

    def first(self, path, mark) -> float | None:
        """When a request to a path first had this in it and said that something fires."""
        with self._news:
            fires = (each for each in self._got if b'"status":"firing"' in each[1])
            return next((at for to, body, at in fires if to == path and mark in body), None)

    def wait(self, path, count, *, patience_s) -> bool:
        """Whether so many requests have come to a path, in time."""
        deadline = time.monotonic() + patience_s
        with self._news:
            while sum(to == path for to, *_ in self._got) < count:
                if (left := deadline - time.monotonic()) <= 0:
                    return False
                self._news.wait(left)
        return True


@contextlib.contextmanager
def receiving():
    """Run one; it is gone afterwards."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Taking)
    server.receiver = receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Taking(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        """Show the page."""
        self._answer(self.server.receiver.page.encode())

    def do_POST(self):
        """Keep it."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.receiver.take(self.path.strip("/"), body, time.perf_counter())
        self._answer(b"")

    def _answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""
