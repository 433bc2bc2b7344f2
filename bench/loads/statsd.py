"""Lines of StatsD by UDP, no faster than they are read: what the kernel drops would be no load."""

from __future__ import annotations

import random
import socket
import time
from pathlib import Path

SERIES = 1_000
ROOM_BYTES = 112 << 10  # less than any daemon has room for, with a burst
BURST = 24
PATIENCE_S = 60


def make(options):
    """`count` lines to `port`, `per` of them in a datagram, with DogStatsD's tags if `tagged`."""
    dice = random.Random(20260214)
    per, tagged = options["per"], options.get("tagged", True)
    kinds = [_line(number, dice, tagged=tagged) for number in range(SERIES)]
    counts = {"c": 0, "ms": 0}
    datagrams = []
    for _ in range(options["count"] // per):
        chosen = dice.choices(kinds, k=per)
        for kind, _ in chosen:
            counts[kind] += 1
        datagrams.append("\n".join(line for _, line in chosen).encode())
    return lambda: {
        "sent": sum(counts.values()),
        "counted": counts["c"],
        "timed": counts["ms"],
        "lost": _send(options["port"], datagrams),
    }


def _line(number, dice, *, tagged):
    """Two of three are counters; every other line has tags."""
    kind = "ms" if number % 3 == 0 else "c"
    value = "1" if kind == "c" else f"{dice.uniform(1, 900):.2f}"
    tags = f"|#route:/r/{number % 20},code:200" if tagged and number % 2 else ""
    return kind, f"bench.shop.{number % 50}.{number}:{value}|{kind}{tags}"


def _send(port, datagrams):
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(("127.0.0.1", port))
    _, before = _held(port)
    for at in range(0, len(datagrams), BURST):
        for datagram in datagrams[at : at + BURST]:
            sender.send(datagram)
        _wait_for_room(port, ROOM_BYTES)
    _wait_for_room(port, 0)
    return _held(port)[1] - before


def _wait_for_room(port, room):
    deadline = time.monotonic() + PATIENCE_S
    while _held(port)[0] > room:
        if time.monotonic() > deadline:
            raise TimeoutError("nobody reads the datagrams")
        time.sleep(0.0001)


def _held(port):
    """Bytes that wait at the port, and datagrams it had no room for: some daemons open it twice."""
    wanted, waiting, dropped = f":{port:04X}", 0, 0
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(wanted):
            waiting += int(words[4].partition(":")[2], 16)
            dropped += int(words[-1])
    return waiting, dropped
