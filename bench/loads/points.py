"""Instrumented processes that tell all of their numbers every second, by native frames."""

from __future__ import annotations

import os
import random
import socket
import struct
import time

from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import Frame, Resource, decode_ack, encode_frame, pack_length
from qmon_sdk.protocol.signals import Point

NS = 1_000_000_000
TURNS = 8  # different values; then they come again
BUCKETS = {40: 3, 44: 5, 47: 1}


def make(options):
    """`series` points from `processes` to `socket`, each second, for `seconds`."""
    each = options["series"] // options["processes"]
    speakers = [Speaker(number, each) for number in range(options["processes"])]

    def send():
        links = [_connected(options["socket"]) for _ in speakers]
        taken, late = [], 0
        begun = time.monotonic() + 0.1
        for turn in range(options["seconds"]):
            wait = begun + turn - time.monotonic()
            late += wait < -0.5
            time.sleep(max(0.0, wait))
            now = time.time_ns()
            for speaker, link in zip(speakers, links, strict=True):
                link.send(speaker.message(turn, now))
            for link in links:
                decode_ack(link.recv(1 << 16)[4:])
            taken.append((time.time_ns() - now) / 1e6)
        return {
            "sent": options["seconds"] * each * len(speakers),
            "acknowledged_ms": sorted(taken),
            "late": late,
        }

    return send


class Speaker:
    """One process: half of its series are gauges, four of ten counters, one a distribution."""

    def __init__(self, number, each):
        self.process = os.urandom(16)
        self.resource = Resource(service="bench", host="box", pid=number + 1, started=number + 1)
        dice = random.Random(number)
        self.block = block_of("point", [_point(number * each + n, dice) for n in range(each)])
        values = [[dice.uniform(0, 1000) for _ in range(each)] for _ in range(TURNS)]
        self.values = [struct.pack(f"<{each}d", *turn) for turn in values]

    def message(self, turn, now):
        """Everything at once, as a flush of the SDK has it."""
        fields = [field.name for field in Point.FIELDS]
        columns = list(self.block.columns)
        columns[fields.index("time")] = now
        columns[fields.index("value")] = self.values[turn % TURNS]
        block = self.block.replace(columns=tuple(columns))
        frame = Frame(
            process=self.process, sequence=turn + 1, sent=now, resource=self.resource,
            blocks=(block,),
        )  # fmt: skip
        return pack_length(encode_frame(frame))


def _point(number, dice):
    labels = {"http.route": f"/route/{number}", "http.request.method": "GET"}
    metric, value = f"bench.metric.{number % 100}", dice.uniform(0, 1000)
    kind = ("gauge", "counter")[number % 10 > 4] if number % 10 < 9 else "distribution"
    if kind != "distribution":
        return Point(time=number + 1, metric=metric, kind=kind, value=value, attributes=labels)
    return Point(
        time=number + 1, metric=metric, kind=kind, value=value, count=9, minimum=1.0,
        maximum=200.0, buckets=BUCKETS, unit="ms", attributes=labels,
    )  # fmt: skip


def _connected(path):
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    link.settimeout(60)
    link.connect(str(path))
    return link
