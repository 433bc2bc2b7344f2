"""Small messages that unfold into large ones, at a living agent: refused, in little memory."""

from __future__ import annotations

import gzip
import json
import time
import urllib.error
import urllib.request
import zlib
from functools import cache
from pathlib import Path

import brotli
import cramjam
import psutil
import pytest
import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prompb import WriteRequest

from qmon_sdk.protocol.frames import pack_length

pytestmark = pytest.mark.timeout(120)
MIB = 1 << 20
UNFOLDED = 512 * MIB
MOST_GROWN = 400 * MIB  # bodies may be 64 MiB, and what is made of one is some times as much
ANSWER_S = 20.0
JSON, PROTOBUF, BYTES = "application/json", "application/x-protobuf", "application/octet-stream"
ENVELOPE = "application/x-sentry-envelope"
TRACES, WRITE, FRAMES = "/v1/traces", "/api/v1/write", "/api/qmon/frames"
DOORS = {
    TRACES: JSON,
    "/api/1/envelope/": ENVELOPE,
    "/batch/": JSON,
    "/api/v2/alerts": JSON,
    FRAMES: BYTES,
}


def zeros(packer):
    """Half a gigabyte of nothing, packed piece by piece."""
    piece = bytes(MIB)
    return b"".join(packer.compress(piece) for _ in range(UNFOLDED // MIB)) + packer.flush()


class Brotli:
    def __init__(self):
        self._packer = brotli.Compressor(quality=1)
        self.compress, self.flush = self._packer.process, self._packer.finish


PACKERS = {
    "gzip": lambda: zlib.compressobj(9, wbits=31),
    "deflate": lambda: zlib.compressobj(9),
    "zstd": lambda: zstandard.ZstdCompressor(level=3).compressobj(),
    "br": Brotli,
}


@cache
def packed(encoding):
    return zeros(PACKERS[encoding]())


def deep_json(depth=200_000):
    return b"[" * depth + b"]" * depth


def long_number():
    return b'{"resourceSpans": [{"x": ' + b"9" * 2_000_000 + b"}]}"


def long_moment():
    return enveloped(b'{"timestamp":' + b"9" * 999_999 + b"}")


def wrapped(field, inner):
    """One more level of a protobuf message."""
    size, length = len(inner), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([field << 3 | 2]) + length + bytes([size]) + inner


def deep_protobuf(depth=3_000):
    """A value in a list in a value, and so on."""
    value = b""
    for _ in range(depth):
        value = wrapped(5, wrapped(1, value))
    for field in (2, 9, 2, 2, 1):
        value = wrapped(field, value)
    return value


def many_attributes(number=200_000):
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    span = spans.add(trace_id=b"\1" * 16, span_id=b"\2" * 8, name="much")
    for n in range(number):
        span.attributes.add(key=f"k{n}").value.string_value = "v"
    return request.SerializeToString()


def many_labels(number=200_000):
    request = WriteRequest()
    series = request.timeseries.add()
    series.labels.add(name="__name__", value="much")
    for n in range(number):
        series.labels.add(name=f"l{n:06}", value="v")
    series.samples.add(value=1, timestamp=time.time_ns() // 1_000_000)
    return snappy(request.SerializeToString())


def snappy(data):
    return bytes(cramjam.snappy.compress_raw(data))


def enveloped(item):
    return b'{}\n{"type":"event","length":%d}\n%s\n' % (len(item), item)


def wide_event():
    huge = {f"k{n}": {"v": 10**300, "t": "x" * 50} for n in range(20_000)}
    return enveloped(json.dumps({"message": "wide", "contexts": huge, "extra": huge}).encode())


BOMBS = {
    "deep JSON as OTLP": (TRACES, JSON, "", deep_json),
    "deep JSON in an envelope": ("/api/1/envelope/", ENVELOPE, "", lambda: enveloped(deep_json())),
    "deep JSON as a batch": ("/batch/", JSON, "", deep_json),
    "deep JSON as alerts": ("/api/v2/alerts", JSON, "", deep_json),
    "deep protobuf": (TRACES, PROTOBUF, "", deep_protobuf),
    "deep msgpack": (FRAMES, BYTES, "", lambda: pack_length(b"\x91" * 1_000_000)),
    "deep maps of msgpack": (FRAMES, BYTES, "", lambda: pack_length(b"\x81\xa1a" * 300_000)),
    "a frame of billions": (FRAMES, BYTES, "", lambda: pack_length(b"\xdd\xff\xff\xff\xff" * 99)),
    "a number without end": (TRACES, JSON, "", long_number),
    "an event of no time": ("/api/1/envelope/", ENVELOPE, "", long_moment),
    "a snappy that claims 4 GiB": (WRITE, PROTOBUF, "snappy", lambda: b"\xff\xff\xff\xff\x0f" * 9),
    "a snappy of zeros": (WRITE, PROTOBUF, "snappy", lambda: snappy(bytes(UNFOLDED // 2))),
    "many attributes": (TRACES, PROTOBUF, "", many_attributes),
    "many labels": (WRITE, PROTOBUF, "snappy", many_labels),
    "a wide event": ("/api/1/envelope/", ENVELOPE, "", wide_event),
    "a gzip in a gzip": (
        "/batch/", JSON, "gzip", lambda: gzip.compress(gzip.compress(packed("gzip")))
    ),
}  # fmt: skip


class Target:
    """A running agent: what it answers, and how large it got."""

    def __init__(self, agent):
        self.agent = agent
        self.token = agent.ask("token", "create", "--scope", "ingest")["token"]
        self.process = psutil.Process(agent.process.pid)

    def send(self, path, kind, body, encoding=""):
        """The status, and by how much the agent had grown at most."""
        before = self._forget_peak()
        headers = {"authorization": f"Bearer {self.token}", "content-type": kind}
        headers["x-sentry-auth"] = f"Sentry sentry_key={self.token}, sentry_version=7"
        if encoding:
            headers["content-encoding"] = encoding
        url = f"http://127.0.0.1:{self.agent.http_port}{path}"
        try:
            request = urllib.request.Request(url, body, headers)
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
                status = answer.status
        except urllib.error.HTTPError as refused:
            refused.close()
            status = refused.code
        return status, self._peak() - before

    def _forget_peak(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.process.memory_info().rss

    def _peak(self):
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        [line] = [line for line in text.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024

    def is_well(self):
        """It listens still, and what it wrote down is not that something broke."""
        status, _ = self.send(TRACES, JSON, b'{"resourceSpans": []}')
        return status == 200 and "Traceback" not in self.agent.log.read_text()


@pytest.fixture(scope="module")
def target(make_agent):
    agent = make_agent()
    agent.configure("[samplers]\nenabled = false\n")
    return Target(agent.start())


@pytest.mark.parametrize("encoding", PACKERS)
@pytest.mark.parametrize("path", DOORS)
def test_what_unpacks_into_too_much_is_refused(target, path, encoding):
    status, grown = target.send(path, DOORS[path], packed(encoding), encoding)

    assert status in {400, 413, 415}
    assert grown < MOST_GROWN
    assert target.is_well()


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_is_too_deep_or_too_wide_harms_nobody(target, bomb):
    path, kind, encoding, made = BOMBS[bomb]
    began = time.monotonic()

    status, grown = target.send(path, kind, made(), encoding)

    assert status in {200, 202, 204, 400, 413}, status
    assert grown < MOST_GROWN
    assert time.monotonic() - began < ANSWER_S
    assert target.is_well()
