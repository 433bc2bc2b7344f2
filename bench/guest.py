"""What `init` alone takes from a program that uses nothing of qmon: a trivial ASGI application.

Two servers, one with and one without, are asked in turns over kept connections; what is compared is
the CPU they spend on a request. Many short turns are taken, in changing order, since two processes
on a shared machine differ by more than what is looked for.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time

from .places import Agent, place

TURNS = 60
REQUESTS = 300
_HEAD_ENDS = b"\r\n\r\n"


def alone():
    """Measure; gives the row of the table."""
    with place() as state:
        agent = Agent(state)
        try:
            ratios = _ratios({**os.environ, **agent.environment})
        finally:
            agent.stop()
    quarters = statistics.quantiles(ratios, n=4)
    change = " to ".join(f"{100 * (ratio - 1):+.1f}" for ratio in (quarters[0], quarters[2]))
    return [
        ("CPU of a trivial ASGI request under uvicorn, changed by `init` alone (at most +1 %)",
         f"{100 * (quarters[1] - 1):+.1f} % (half of the turns: {change} %)"),
    ]  # fmt: skip


def _ratios(environment):
    servers = {mode: Server(mode, environment) for mode in ("bare", "qmon")}
    try:
        for server in servers.values():
            server.spent()  # warm
        ratios = []
        for turn in range(TURNS):
            modes = ("bare", "qmon") if turn % 2 else ("qmon", "bare")
            spent = {mode: servers[mode].spent() for mode in modes}
            ratios.append(spent["qmon"] / spent["bare"])
        return ratios
    finally:
        for server in servers.values():
            server.stop()


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
        self.connection = _connected(port)

    def spent(self):
        """Nanoseconds of CPU of one request."""
        before = int(self.get(b"/cpu"))
        for _ in range(REQUESTS):
            self.get(b"/")
        return (int(self.get(b"/cpu")) - before) / (REQUESTS + 1)

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
