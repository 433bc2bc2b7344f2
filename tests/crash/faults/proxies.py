"""A proxy with a fault that is switched while it runs: between a sink and what takes from it."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

LATE_S = 3.0  # longer than a sink of these tests waits for an answer
GARBAGE = bytes(range(256)) * 10
FAULTS = ("slow", "half-open", "reset", "500", "429", "garbage")


class FaultProxy:
    """Passes on what comes, but for its `fault`.

    `slow`: the request arrives, its answer comes too late. `half-open`: connections are taken, and
    nothing is read. `reset`: they break at once. A status: it is what the request is answered with.
    `garbage`: so are bytes that mean nothing.
    """

    def __init__(self, port):
        self.fault = ""
        self._upstream = port
        self._links = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.hits = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def switch(self, fault):
        """From now on; who is connected has to come anew."""
        self.fault = fault
        for link in [*self._links]:
            hang_up(link)

    def close(self):
        hang_up(self._listening)
        self.switch("reset")

    def _accept(self):
        while True:
            try:
                link, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link):
        fault = self.fault
        self.hits += bool(fault)
        self._links.add(link)
        try:
            if fault in {"", "slow"}:
                self._pass_on(link, late=fault == "slow")
            elif fault == "half-open":
                link.recv(1, socket.MSG_PEEK)
                time.sleep(60)
            elif fault != "reset":
                self._answer(link, fault)
        except OSError:
            pass  # one of the two has left
        finally:
            self._links.discard(link)
            hang_up(link)

    def _pass_on(self, link, *, late):
        with socket.create_connection(("127.0.0.1", self._upstream), 5) as upstream:
            upstream.settimeout(None)
            self._links.add(upstream)
            forth = threading.Thread(target=pumped, args=(link, upstream), daemon=True)
            forth.start()
            pumped(upstream, link, wait_s=LATE_S if late else 0)
            forth.join(5)
            self._links.discard(upstream)

    @staticmethod
    def _answer(link, fault):
        """After all of the request that comes at once; then the connection is over."""
        link.settimeout(0.2)
        with suppress(TimeoutError):
            while link.recv(1 << 16):
                pass
        if fault == "garbage":
            link.sendall(GARBAGE)
        else:
            head = f"HTTP/1.1 {fault} No\r\nretry-after: 1\r\ncontent-length: 0\r\n"
            link.sendall(f"{head}connection: close\r\n\r\n".encode())


def pumped(source, target, *, wait_s=0.0):
    """Everything from the one to the other, until one of them has left."""
    with suppress(OSError):
        while data := source.recv(1 << 16):
            if wait_s:
                time.sleep(wait_s)
            target.sendall(data)
    hang_up(target)


def hang_up(link):
    with suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()
