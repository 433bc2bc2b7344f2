"""A program that shows its numbers to whoever scrapes it: another page each time, made before."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KIND = "text/plain; version=0.0.4; charset=utf-8"


def make(options):
    """Shows `samples`, half of them counters, at `port`, for `seconds` from the word on."""
    pages = [_page(options["samples"], turn) for turn in range(options["seconds"] + 5)]
    showing = Showing(("127.0.0.1", options["port"]), pages)
    threading.Thread(target=showing.serve_forever, daemon=True).start()

    def send():
        showing.is_open = True
        time.sleep(options["seconds"])
        showing.is_open = False
        time.sleep(0.2)  # the page that is being sent
        half, scrapes = options["samples"] // 2, showing.scrapes
        return {
            "sent": options["samples"] * scrapes,
            "scrapes": scrapes,
            "gauges": half * scrapes,
            "counted": (options["samples"] - half) * max(scrapes - 1, 0),
        }

    return send


class Showing(ThreadingHTTPServer):
    """The pages, one after the other; until it is open, and afterwards, there are none."""

    def __init__(self, address, pages):
        super().__init__(address, Shown)
        self.pages = iter(pages)
        self.is_open = False
        self.scrapes = 0


class Shown(BaseHTTPRequestHandler):
    """One answer."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20

    def do_GET(self):
        """Show the next page."""
        page = next(self.server.pages, b"") if self.server.is_open else b""
        self.send_response(200 if page else 503)
        self.send_header("Content-Type", KIND)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)
        self.wfile.flush()
        self.server.scrapes += bool(page)

    def log_message(self, *_):
        """Say nothing."""


def _page(samples, turn):
    lines = []
    for family in range(0, samples, 100):
        is_counter = family // 100 % 2
        name = f"bench_family_{family // 100}" + ("_total" if is_counter else "")
        lines += [
            f"# HELP {name} Of a family.",
            f"# TYPE {name} {('gauge', 'counter')[is_counter]}",
        ]
        lines += [
            f'{name}{{code="200",method="GET",path="/route/{n}"}} {turn * 7 + n % 5 + 1}'
            for n in range(100)
        ]
    return ("\n".join(lines) + "\n").encode()
