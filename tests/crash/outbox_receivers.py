"""Receivers on sockets that take messages by their keys, and have moods; some kill who calls."""

import contextlib
import json
import os
import random
import signal
import socket
import threading
import time
from collections import Counter, defaultdict
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LATE_S = 1.4
"""Longer than the caller waits."""


class Receiver(ThreadingHTTPServer):
    """Keeps what it has accepted, by key; `/NAME` is a receiver each, behaving by `moods`."""

    daemon_threads = True

    def __init__(self, seed=5):
        super().__init__(("127.0.0.1", 0), Handler)
        self.chance, self.lock = random.Random(seed), threading.Lock()
        self.calls, self.accepted = Counter(), defaultdict(list)
        self.moods: dict[str, list[str]] = {}
        self.times: dict[str, list[float]] = defaultdict(list)
        self.kills: tuple[str, int] | None = None
        self.caller, self.killed = 0, ""
        self.is_known = threading.Event()
        self.all_others = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def handle_error(self, request, client_address):
        """Callers that were killed are no news."""

    def mood_of(self, name, key):
        with self.lock:
            self.calls[key] += 1
            self.times[name].append(time.monotonic())
            if name not in self.moods:
                return self.chance.choice(["well"] * 8 + ["500", "429"])
            moods = self.moods[name]
            return moods.pop(0) if len(moods) > 1 else moods[0]

    def keep(self, key, body):
        with self.lock:
            self.accepted[key].append(body)
            if all(self.times[name] for name, moods in self.moods.items() if moods != ["patient"]):
                self.all_others.set()

    def may_kill(self, when, key):
        """Kill the caller at this moment, if it is the one that was chosen."""
        with self.lock:
            if self.kills is None or self.kills[0] != when:
                return
            self.kills = (when, self.kills[1] - 1) if self.kills[1] > 1 else None
            if self.kills is None:
                self.killed = key
                self.is_known.wait()
                os.kill(self.caller, signal.SIGKILL)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        name, key = self.path.strip("/"), self.headers["webhook-id"]
        mood = self.server.mood_of(name, key)
        self.server.may_kill("called", key)
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.may_kill("read", key)
        with contextlib.suppress(OSError):
            getattr(self, f"be_{mood}")(key, body)
        self.server.may_kill("answered", key)

    def be_well(self, key, body):
        self.server.keep(key, body)
        self._answer(200)

    def be_500(self, *_):
        self._answer(500)

    def be_503(self, *_):
        self._answer(503)

    def be_400(self, *_):
        self._answer(400, b"no such room")

    def be_429(self, *_):
        self._answer(429)

    def be_later(self, *_):
        self._answer(429, retry_after="1")

    def be_dated(self, *_):
        self._answer(429, retry_after=formatdate(time.time() + 2, usegmt=True))

    def be_hanging(self, *_):
        time.sleep(LATE_S)
        self.close_connection = True

    def be_closing(self, *_):
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def be_patient(self, key, body):
        """Answers only when every other has been called."""
        if self.server.all_others.wait(30):
            self.be_well(key, body)

    def be_late(self, key, body):
        self.server.keep(key, body)
        time.sleep(LATE_S)
        self._answer(200)

    def be_garbage(self, *_):
        self.wfile.write(b"\x00\xff no HTTP \r\n\r\n" * 20)
        self.close_connection = True

    def be_elsewhere(self, *_):
        self._answer(302, location="/well")

    def _answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
