"""An agent that comes back to gigabytes nobody has read: how soon it takes, and in what memory."""

from __future__ import annotations

import os
import socket
import threading
import time

import psutil

from qmon_sdk.protocol.frames import decode_ack

from .agent import ROWS, feed, frames
from .figures import Figure, progress
from .places import Agent, place

BACKLOG_BYTES, QUICK_BYTES = 5_000_000_000, 500_000_000
ROUNDS = 3
WATCHED_S, QUICK_S = 60, 10
SETTINGS = "[journal]\nmax_bytes = 17179869184\n[samplers]\nenabled = false\n"
LOOK_S = 0.25


def backlog(*, quick=False):
    """Rows: start to ready and to the first acknowledgement, and memory while it is worked off."""
    wanted = QUICK_BYTES if quick else BACKLOG_BYTES
    empty = [_fresh_start() for _ in range(1 if quick else ROUNDS)]
    with place() as state:
        (state / "qmon.toml").write_text(SETTINGS)
        agent = Agent(state, "--no-store")
        size = len(next(frames(bytes(16), 1, attributes=True)))
        count, _ = feed(agent.socket, 600, most=wanted // size, window=8, attributes=True)
        kept = agent.control.get("/api/status")["journal"]["bytes"]
        agent.stop()
        progress(f"backlog: {kept / 1e9:.1f} GB, {count * ROWS:,} spans, nobody has read them")
        starts = [_start(state) for _ in range(0 if quick else ROUNDS - 1)]
        starts.append(_start(state, watched_s=QUICK_S if quick else WATCHED_S))
    return _figures(kept, empty, starts)


def _fresh_start():
    with place() as state:
        agent = Agent(state)
        agent.stop()
        return agent.ready_s


def _start(state, *, watched_s=0):
    """Start, and send at once; then look on while it works."""
    first = First(state / "agent.sock")
    agent = Agent(state)
    try:
        first.join(30)
        main = psutil.Process(agent.pid)
        looks = [*_watched(agent, main, watched_s)]
    finally:
        agent.stop()
    progress(f"backlog: ready after {agent.ready_s:.2f} s, acknowledged after {first.took:.2f} s")
    return agent.ready_s, first.took, looks


class First(threading.Thread):
    """Somebody who wants to be rid of a frame from the moment the agent is started."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.took = str(path), float("inf")
        self.message = next(frames(os.urandom(16), 1))
        self.begun = time.perf_counter()
        self.start()

    def run(self):
        """Try until it is acknowledged."""
        while self.took == float("inf"):
            try:
                self._send()
            except OSError:
                time.sleep(0.005)

    def _send(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
            link.settimeout(30)
            link.connect(self.path)
            link.send(self.message)
            if heard := link.recv(1 << 16):
                decode_ack(heard[4:])
                self.took = time.perf_counter() - self.begun


def _watched(agent, main, seconds):
    begun = time.monotonic()
    told = 0.0
    while time.monotonic() - begun < seconds:
        store = sum(each.memory_info().rss for each in main.children(recursive=True))
        look = {"at": time.monotonic() - begun, "main": main.memory_info().rss, "store": store}
        if look["at"] >= told:
            told += 5
            status = agent.control.get("/api/status")
            stored = status["store"]["rows"].get("spans", 0)  # nothing until its worker is there
            look |= {"rows": stored, "lag": status["store"]["lag"]}
            look["rules"] = status["rules"]["lag"]
            progress(
                f"backlog: {look['at']:.0f} s, {look['rows']:,} stored, {look['lag']:,} records "
                f"behind, main {look['main'] / 1e6:.0f} MB, store {store / 1e6:.0f} MB"
            )
        yield look
        if look.get("lag", 1) == 0 and look["rules"] == 0:
            return
        time.sleep(LOOK_S)


def _figures(kept, empty, starts):
    looks = starts[-1][2]
    counted = [look for look in looks if "rows" in look]
    first, last = counted[0], counted[-1]
    rate = (last["rows"] - first["rows"]) / max(last["at"] - first["at"], 1e-9)
    size = f"{kept / 1e9:.1f} GB not yet stored"
    return [
        Figure(what="start to ready, nothing kept", ours=empty, unit="s", digits=2),
        Figure(what=f"start to ready, {size}", ours=[run[0] for run in starts], unit="s", digits=2),
        Figure(what=f"start to the first acknowledgement, {size}",
               ours=[run[1] for run in starts], unit="s", digits=2, wanted=("<=", 1)),
        Figure(what=f"resident while working it off, main process, the most of {last['at']:.0f} s",
               ours=[max(look["main"] for look in looks) / 1e6], unit="MB", wanted=("<=", 200)),
        Figure(what="the same, store worker",
               ours=[max(look["store"] for look in looks) / 1e6], unit="MB"),
        Figure(what="spans of it stored a second", ours=[rate]),
    ]  # fmt: skip


CASES = {"backlog": backlog}
