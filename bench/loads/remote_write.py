"""What a Prometheus writes: remote write 1.0, 2,000 samples a message, packed by snappy."""

from __future__ import annotations

import struct
import time

import cramjam

from .posting import post_all

PER_MESSAGE = 2_000  # what Prometheus sends at most, by default
TURNS = 8  # rounds with values of their own; then they come again
SOME_TIME = 1_234_567_890_123  # in milliseconds, as many bytes as now
HEADERS = {
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "x-prometheus-remote-write-version": "0.1.0",
}


def make(options):
    """A sample of each of `series`, `rounds` times, to `url`; half of them are counters.

    With `interval_s` a round is sent each so many seconds, and has its own time; otherwise all at
    once, the last of them of now.
    """
    series, rounds = options["series"], options["rounds"]
    known = [_labels(number) for number in range(series)]
    told = {
        "sent": series * rounds,
        "gauges": series // 2 * rounds,
        "counted": (series - series // 2) * (rounds - 1),
    }
    headers = {**HEADERS, **options.get("headers", {})}
    if "interval_s" in options:
        send = _in_time(known, options, headers)
        return lambda: {**told, **send()}
    begun = int(time.time() * 1000) - 1000 * rounds
    bodies = [
        packed(one) for turn in range(rounds) for one in written(known, turn, begun + 1000 * turn)
    ]
    return lambda: {**told, **post_all(options["url"], bodies, headers, connections=1)}


def _in_time(known, options, headers):
    """A round each interval, of which only the time is written anew; says how many came late."""
    made = [[*written(known, turn, SOME_TIME)] for turn in range(TURNS)]

    def send():
        begun, late = time.monotonic(), 0
        for turn in range(options["rounds"]):
            due = begun + turn * options["interval_s"]
            time.sleep(max(0.0, due - time.monotonic()))
            late += time.monotonic() - due > options["interval_s"] / 2
            now = _varint(int(time.time() * 1000))
            bodies = (packed(one.replace(_varint(SOME_TIME), now)) for one in made[turn % TURNS])
            post_all(options["url"], [*bodies], headers, connections=1)
        return {"late": late}

    return send


def written(known, turn, at):
    """One round, in as many messages as it takes."""
    stamp = b"\x10" + _varint(at)
    for begin in range(0, len(known), PER_MESSAGE):
        yield b"".join(
            _field(1, labels + _field(2, b"\x09" + struct.pack("<d", turn * 7 + n % 5) + stamp))
            for n, labels in enumerate(known[begin : begin + PER_MESSAGE])
        )


def packed(message):
    """As it travels."""
    return bytes(cramjam.snappy.compress_raw(message))


def _labels(number):
    """A series, with the labels that a web application's would have."""
    name = f"bench_requests_{number % 50}_total" if number % 2 else f"bench_queue_{number % 50}"
    labels = {
        "__name__": name,
        "code": "200",
        "instance": f"10.0.{number // 1000 % 250}.7:9100",
        "job": "bench",
        "method": "GET",
        "path": f"/route/{number}",
    }
    return b"".join(
        _field(1, _field(1, key.encode()) + _field(2, value.encode()))
        for key, value in labels.items()
    )


def _field(number, data):
    return bytes((number << 3 | 2,)) + _varint(len(data)) + data


def _varint(value):
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
