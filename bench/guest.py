"""What `init` alone takes from a program that uses nothing of qmon: a trivial ASGI application.

Two servers on one CPU, one with and one without, are asked in turns over kept connections, from the
other CPU; what is compared is the CPU they spend on a request, what they do between turns included.
The turns are short, so that whatever else the machine does befalls both. Any two processes differ
for as long as they live, so there are many pairs: told is the median of theirs, and its bounds.

The allocator's thresholds are fixed for both. By itself it sets them by what a program happened to
free early, and one that has them too low maps and unmaps memory for every request that asyncio
reads: a third of all there is to compare, and as likely to fall to the one as to the other.
"""

from __future__ import annotations

import math
import os
import socket
import statistics
import subprocess
import sys
import time

from .figures import Figure
from .places import Agent, place

PAIRS = 9
TURNS = 120  # of a pair
REQUESTS = 40
WARM = 10
SERVERS_ON, ASKED_FROM = {1}, {0}
SAME = {
    "MALLOC_MMAP_THRESHOLD_": str(4 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 20),
    "PYTHONHASHSEED": "0",
}
_HEAD_ENDS = b"\r\n\r\n"


def alone(*, quick=False):
    """Measure; gives the row of the table."""
    pairs = 1 if quick else PAIRS
    with place() as state:
        agent = Agent(state)
        environment = {**os.environ, **agent.environment, **SAME}
        try:
            ratios = [_pair(environment, first) for first in range(pairs)]
        finally:
            agent.stop()
    changed = [100 * (ratio - 1) for ratio in ratios]
    low, _, high = (f"{bound:+.1f}" for bound in median_of(changed))
    what = (
        "CPU of a trivial ASGI request under uvicorn, changed by `init` alone "
        f"(95 %: {low} to {high} %; {pairs} pairs, {TURNS * REQUESTS} requests each)"
    )
    return [Figure(what=what, ours=changed, unit="%", digits=1, wanted=("<=", 1))]


def median_of(values):
    """Give the median between the bounds that it is in 95 times of 100, however they lie."""
    ordered = sorted(values)
    half, spread = len(ordered) / 2, 0.98 * math.sqrt(len(ordered))
    low, high = max(int(half - spread), 0), min(math.ceil(half + spread), len(ordered) - 1)
    return ordered[low], statistics.median(ordered), ordered[high]


def _pair(environment, number):
    """Compare two fresh servers, the first of them now one, now the other."""
    allowed = os.sched_getaffinity(0)
    servers = {mode: Server(mode, environment) for mode in _turned(number)}
    if allowed >= SERVERS_ON | ASKED_FROM:
        os.sched_setaffinity(0, ASKED_FROM)
    try:
        for server in [*servers.values()] * WARM:
            server.spent()
        ratios = []
        for turn in range(TURNS):
            spent = {mode: servers[mode].spent() for mode in _turned(turn)}
            ratios.append(spent["qmon"] / spent["bare"])
        return statistics.median(ratios)
    finally:
        os.sched_setaffinity(0, allowed)
        for server in servers.values():
            server.stop()


def _turned(turn):
    return ("bare", "qmon") if turn % 2 else ("qmon", "bare")


class Server:
    """One of the two, and a connection to it."""

    def __init__(self, mode, environment):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.guest", mode],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        port = int(self.process.stdout.readline())
        if os.sched_getaffinity(0) >= SERVERS_ON:
            os.sched_setaffinity(self.process.pid, SERVERS_ON)
        self.connection = _connected(port)
        self.before = 0

    def spent(self):
        """Nanoseconds of CPU of a request, with its share of what was done since the last turn."""
        for _ in range(REQUESTS):
            self.get(b"/")
        before, self.before = self.before, int(self.get(b"/cpu"))
        return (self.before - before) / (REQUESTS + 1)

    def get(self, path):
        """Ask, and read the whole answer."""
        self.connection.sendall(b"GET " + path + b" HTTP/1.1\r\nhost: bench\r\n\r\n")
        heard = b""
        while _HEAD_ENDS not in heard:
            heard += self.connection.recv(4096)
        head, _, body = heard.partition(_HEAD_ENDS)
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += self.connection.recv(4096)
        return body

    def stop(self):
        self.connection.close()
        self.process.terminate()
        self.process.wait(10)


def _connected(port):
    deadline = time.monotonic() + 30
    while True:
        try:
            made = socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made


def serve(mode):
    """Be one of the two servers."""
    if mode == "qmon":
        import qmon_sdk as qmon

        qmon.init(service="bench")
    import uvicorn

    async def application(scope, _receive, send):
        body = str(time.process_time_ns()).encode() if scope["path"] == "/cpu" else b"ok"
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    # The protocol is named, or asyncio would not turn Nagle's algorithm off.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(
        application, loop="asyncio", lifespan="off", log_level="error", access_log=False
    )
    uvicorn.Server(config).run(sockets=[listening])


CASES = {"alone": alone}

if __name__ == "__main__":
    serve(sys.argv[1])
