"""The agent alone: acknowledged spans a second, memory, and the start after a long absence."""

from __future__ import annotations

import json
import os
import socket
import statistics
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

from .places import Agent, place

ROUNDS = 7
ROWS = 1000
WINDOW = 64  # frames on their way at once
SECONDS = 2.0
BACKLOG_BYTES = 2 << 30
IDLE_S = 10
SETTLE_S = 5  # what is opened behind the ready line is part of what idling costs


def frames(process, count, first=1):
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


def feed(path, seconds, most=10**9):
    """Keep a window of frames in flight; gives the frames acknowledged and the seconds it took."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    link.settimeout(30)
    link.connect(str(path))
    messages = list(frames(os.urandom(16), 200))
    process, sent, acknowledged = os.urandom(16), 0, 0
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds and acknowledged < most:
        while sent - acknowledged < WINDOW and sent < most:
            sent += 1
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


def throughput():
    """Spans a second that one core acknowledges, and what they and idling cost."""
    rates, busy, idle_rss, idle_cpu, rate_rss = [], [], [], [], []
    for _ in range(ROUNDS):
        with place() as state:
            agent = Agent(state, cpu=0)
            try:
                main = psutil.Process(agent.pid)
                time.sleep(SETTLE_S)
                idle_rss.append(main.memory_info().rss)
                count, spent, cpu = _fed(agent, main)
                rate_rss.append(main.memory_info().rss)
                rates.append(count * ROWS / spent)
                busy.append(cpu / (count * ROWS))
                _settled(agent, count * ROWS)
                idle_cpu.append(_idle(main))
            finally:
                agent.stop()
        print(f"agent: {rates[-1]:,.0f} spans/s, idle {idle_rss[-1] / 1e6:.1f} MB", flush=True)
    median = statistics.median
    return [
        ("acknowledged (fsynced) spans a second, main process on one core, frames of 1,000",
         f"{median(rates):,.0f}"),
        ("CPU of the main process per span", f"{median(busy) * 1e9:,.0f} ns"),
        ("resident memory of the main process, idle", f"{median(idle_rss) / 1e6:.1f} MB"),
        ("resident memory of the main process, at that rate", f"{median(rate_rss) / 1e6:.1f} MB"),
        ("CPU of the main process, idle, host sampled every second",
         f"{median(idle_cpu) * 100:.2f} % of a core"),
    ]  # fmt: skip


def _fed(agent, main):
    before = sum(main.cpu_times()[:2])
    out = subprocess.run(
        [sys.executable, "-m", "bench.agent", str(agent.socket), str(SECONDS)],
        capture_output=True, text=True, check=True, timeout=120,
        preexec_fn=lambda: os.sched_setaffinity(0, {1}),
    )  # fmt: skip
    count, spent = out.stdout.split()
    return int(count), float(spent), sum(main.cpu_times()[:2]) - before


def _idle(main):
    before, begun = sum(main.cpu_times()[:2]), time.perf_counter()
    time.sleep(IDLE_S)
    return (sum(main.cpu_times()[:2]) - before) / (time.perf_counter() - begun)


def _settled(agent, spans):
    """Wait until the store has eaten everything; it must have exactly what was acknowledged."""
    deadline = time.monotonic() + 300
    while (stored := _status(agent)["store"]["rows"]["spans"]) < spans:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{stored} of {spans} spans stored")
        time.sleep(0.5)
    if stored != spans:
        raise AssertionError(f"acknowledged {spans}, stored {stored}")


def _status(agent):
    out = subprocess.run(
        [sys.executable, "-m", "qmon_agent.cli", "status", "--json"],
        env={**os.environ, **agent.environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return json.loads(out.stdout)


def backlog():
    """Seconds from the start of the process to ready, with two gigabytes that nobody has read."""
    with place() as state:
        agent = Agent(state, "--no-store")
        feed(agent.socket, 600, most=BACKLOG_BYTES // len(next(frames(bytes(16), 1))))
        agent.stop()
        empty, full = [], []
        for _ in range(ROUNDS):
            with place() as other:
                fresh = Agent(other)
                empty.append(fresh.ready_s)
                fresh.stop()
            late = Agent(state)
            full.append(late.ready_s)
            late.stop()
    size = f"{BACKLOG_BYTES / 1e9:.1f} GB"
    return [
        ("start to ready, nothing kept", f"{statistics.median(empty):.2f} s"),
        (f"start to ready, {size} of journal not yet stored", f"{statistics.median(full):.2f} s"),
    ]


CASES = {"agent": throughput, "backlog": backlog}


def table(rows):
    """Write the rows as Markdown."""
    return "\n".join(["| | |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)])


if __name__ == "__main__":
    print(*feed(sys.argv[1], float(sys.argv[2])))
