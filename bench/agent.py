"""Native frames: what one core acknowledges, which is to say has on disk, in a second."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import psutil

from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import (
    Frame,
    Ledger,
    Resource,
    decode_ack,
    encode_frame,
    pack_length,
)
from qmon_sdk.protocol.signals import Span

from .daemons import spent
from .figures import Figure, progress
from .places import Agent, place

ROUNDS = 5
ROWS = 1000
WINDOW = 64  # frames on their way at once
SECONDS = 2.0
SETTLE_S = 5  # what is opened behind the ready line is part of what idling costs


def frames(process, count, *, first=1, attributes=False):
    """Make messages of `ROWS` spans as a recorder would write them: ids and times of their own."""
    names = [f"GET /route/{n}" for n in range(20)]
    spans = [
        Span(
            time=time.time_ns() + row,
            trace_id=os.urandom(16).hex(),
            span_id=os.urandom(8).hex(),
            name=names[row % 20],
            kind="server",
            duration_ns=1000 * row,
            attributes=_attributes(row) if attributes else {},
        )
        for row in range(ROWS)
    ]
    block = block_of("span", spans)
    resource = Resource(service="bench", host="box", pid=1, started=1)
    for sequence in range(first, first + count):
        told = Ledger(captured={"span": sequence * ROWS}) if sequence % 100 == 0 else None
        yield pack_length(
            encode_frame(
                Frame(process=process, sequence=sequence, sent=time.time_ns(), resource=resource,
                      blocks=(block,), ledger=told)
            )
        )  # fmt: skip


def _attributes(row):
    """What a web application says of a request, a part of it never the same."""
    return {
        "http.request.method": "GET",
        "http.response.status_code": "200",
        "http.route": f"/route/{row % 20}",
        "server.address": "shop.example",
        "url.path": f"/route/{row % 20}/{os.urandom(16).hex()}",
        "user_agent.original": f"Mozilla/5.0 (X11; Linux x86_64) Bench/{row % 50}",
    }


def feed(path, seconds, *, most=10**9, per_s=0, window=WINDOW, attributes=False):
    """Keep a window of frames in flight; gives the frames acknowledged and the seconds it took.

    With `per_s` no more spans than that are sent in a second.
    """
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    link.settimeout(30)
    link.connect(str(path))
    messages = list(frames(os.urandom(16), 200, attributes=attributes))
    process, sent, acknowledged = os.urandom(16), 0, 0
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds and acknowledged < most:
        while sent - acknowledged < window and sent < most:
            sent += 1
            if per_s:
                time.sleep(max(0.0, begun + sent * ROWS / per_s - time.perf_counter()))
            link.send(_renumbered(messages[sent % 200], process, sent))
        acknowledged += len(decode_ack(link.recv(1 << 20)[4:]).sequences)
    while acknowledged < sent:
        acknowledged += len(decode_ack(link.recv(1 << 20)[4:]).sequences)
    spent = time.perf_counter() - begun
    link.close()
    return acknowledged, spent


def _renumbered(message, process, sequence):
    """Give a frame another process and sequence: the head has a fixed width."""
    return b"".join((message[:8], process, b"\xcf", sequence.to_bytes(8, "big"), message[33:]))


def throughput(*, quick=False):
    """Spans a second that one core acknowledges, and what that costs."""
    rates, costs, resident = [], [], []
    for _ in range(1 if quick else ROUNDS):
        with place() as state:
            agent = Agent(state, cpu=0)
            try:
                main = psutil.Process(agent.pid)
                agent.wait_for_store()
                time.sleep(SETTLE_S)
                before = spent([main])
                count, seconds = _fed(agent)
                resident.append(main.memory_info().rss / 1e6)
                rates.append(count * ROWS / seconds)
                _settled(agent, count * ROWS)
                costs.append(count * ROWS / (spent([main]) - before))
            finally:
                agent.stop()
        progress(f"native: {rates[-1]:,.0f} spans/s on a core, {resident[-1]:.1f} MB")
    return [
        Figure(what="native spans acknowledged (fsynced) a second, main process on one core, "
               "frames of 1,000", ours=rates, wanted=(">=", 200_000)),
        Figure(what="the same by processor time, until stored and judged: a second and core",
               ours=costs, wanted=(">=", 200_000)),
        Figure(what="the same: resident, main process", ours=resident, unit="MB", digits=1),
    ]  # fmt: skip


def _fed(agent):
    out = subprocess.run(
        [sys.executable, "-m", "bench.agent", str(agent.socket), str(SECONDS)],
        capture_output=True, text=True, check=True, timeout=120,
        preexec_fn=lambda: os.sched_setaffinity(0, {1}),
    )  # fmt: skip
    count, seconds = out.stdout.split()
    return int(count), float(seconds)


def _settled(agent, spans):
    """Wait until the store has eaten everything; it must have exactly what was acknowledged."""
    deadline = time.monotonic() + 300
    while (stored := agent.control.get("/api/status")["store"]["rows"].get("spans", 0)) < spans:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{stored} of {spans} spans stored")
        time.sleep(0.5)
    if stored != spans:
        raise AssertionError(f"acknowledged {spans}, stored {stored}")


CASES = {"native": throughput}

if __name__ == "__main__":
    print(*feed(sys.argv[1], float(sys.argv[2]), per_s=int([*sys.argv, 0][3])))
