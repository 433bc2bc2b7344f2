"""Strict recording peers: receivers on loopback that read what a sink sends by the book."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket
import threading
import time
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType

import cramjam
from ports import free_port
from prompb import Request, WriteRequest
from sentry_sdk.envelope import Envelope

from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.frames import decode_frame, split_messages
from qmon_sdk.protocol.signals import Log, Point, Span

METRIC = re.compile(r"^(?P<name>\w+)_total\{.*\} 1$", re.MULTILINE)
LINE = re.compile(r"(?P<name>[^,]+)(?:,[^ =,]+=(?:\\.|[^ ,])+)+ value=[-0-9.]+ \d+")


class Recorder(ThreadingHTTPServer):
    """Answers what is next in `answers`, else 200; `got` holds what was taken, read by `reader`."""

    daemon_threads = True

    def __init__(self, reader):
        super().__init__(("127.0.0.1", 0), RecordingHandler)
        self.reader = reader
        self.answers, self.got, self.wrong = [], [], []
        self.open = threading.Event()
        self.open.set()
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, *_):
        """Clients may leave when they like."""

    def close(self):
        self.open.set()
        self.shutdown()
        self.server_close()


class RecordingHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one piece: two would wait for each other's acknowledgement

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.open.wait(10)
        answers = self.server.answers
        status, headers, said = answers.pop(0) if answers else self._taken(body)
        self.send_response(status)
        for name, value in {"content-length": len(said), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(said)

    def _taken(self, body):
        """What is not as the protocol has it is refused, and told at the end of the test."""
        try:
            packing = self.headers["content-encoding"]
            if packing == "gzip":
                body = gzip.decompress(body)
            elif packing == "snappy":
                body = bytes(cramjam.snappy.decompress_raw(body))
            names, status, said = self.server.reader(self.path, self.headers, body)
        except Exception as error:  # noqa: BLE001 - the end of the test tells it
            self.server.wrong.append(error)
            return 400, {}, repr(error).encode()
        batch = self.headers["idempotency-key"].partition("-")[0]
        self.server.got += [(batch, name) for name in names]
        return status, {}, said

    def log_message(self, *_):
        pass


class HttpSide:
    """How the tests see what arrived by HTTP, and how they break it for a while."""

    tells_batches = True
    more = MappingProxyType({})

    def __init__(self, directory):
        self.receiver = Recorder(self.read)
        self.options = self.at(self.receiver.url)

    def at(self, url):
        """The options that lead there."""
        return {"endpoint": url, "timeout_s": 0.5, **self.more}

    @staticmethod
    def signal(name):
        return Span(time=1, name=name, trace_id="ab" * 16, span_id="cd" * 8, duration_ns=5)

    def arrived(self):
        assert not self.receiver.wrong
        return self.receiver.got

    def broken(self):
        self.receiver.answers += [(503, {}, b"")] * 2

    def close(self):
        self.receiver.close()


class PrometheusRemoteWriteSide(HttpSide):
    @staticmethod
    def signal(name):
        return Point(time=1, metric=name, kind="counter", value=1.0)

    def at(self, url):
        return {**super().at(f"{url}/api/v1/write")}

    @staticmethod
    def read(path, headers, body):
        assert headers["content-type"] == "application/x-protobuf"
        assert headers["x-prometheus-remote-write-version"] == "0.1.0"
        return [name_of(labels) for labels in labels_1(WriteRequest.FromString(body))], 204, b""


def labels_1(message):
    """Of each series, checked: in order, each once, none empty; and so are its samples."""
    for series in message.timeseries:
        labels = [(label.name, label.value) for label in series.labels]
        times = [sample.timestamp for sample in series.samples]
        assert labels == sorted({*dict(labels).items()})
        assert all(value for _, value in labels)
        assert times == sorted(set(times))
        yield dict(labels)


def labels_2(message):
    """The same of 2.0."""
    symbols = message.symbols
    assert symbols[0] == ""
    for series in message.timeseries:
        texts = [symbols[ref] for ref in series.labels_refs]
        labels = [*zip(texts[::2], texts[1::2], strict=True)]
        assert labels == sorted({*dict(labels).items()})
        yield dict(labels)


def read_2(body):
    return Request.FromString(body)


def name_of(labels):
    return labels["__name__"].removesuffix("_total").replace("_", "-")


class PrometheusExpositionSide:
    tells_batches = False

    def __init__(self, directory):
        self.port = free_port()
        self.options = {"listen": f"127.0.0.1:{self.port}"}
        self.taken = None

    @staticmethod
    def signal(name):
        return Point(time=time.time_ns(), metric=name, kind="counter", value=1.0)

    def arrived(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as page:
                names = METRIC.findall(page.read().decode())
        except OSError:
            return []
        names = [name.replace("_", "-") for name in names]
        return [("", name) for name in sorted(names, key=number_in)]

    def broken(self):
        """Somebody else has the port."""
        self.taken = socket.create_server(("127.0.0.1", self.port))
        return self.taken.close

    def close(self):
        if self.taken:
            self.taken.close()


def number_in(name):
    found = re.search(r"\d+", name)
    return int(found[0]) if found else 0


class LokiSide(HttpSide):
    @staticmethod
    def signal(name):
        return Log(time=1, body=name)

    @staticmethod
    def read(path, headers, body):
        assert path == "/loki/api/v1/push"
        lines = []
        for stream in json.loads(body)["streams"]:
            assert all(isinstance(value, str) for value in stream["stream"].values())
            times = [int(when) for when, _ in stream["values"]]
            assert times == sorted(times)
            lines += [json.loads(line)["message"] for _, line in stream["values"]]
        return sorted(lines, key=number_in), 204, b""


class InfluxdbSide(HttpSide):
    more = MappingProxyType({"bucket": "b", "org": "o", "token": "t"})

    @staticmethod
    def signal(name):
        return Point(time=1, metric=name, kind="counter", value=1.0)

    @staticmethod
    def read(path, headers, body):
        assert path == "/api/v2/write?org=o&bucket=b&precision=ns"
        assert headers["authorization"] == "Token t"
        found = [LINE.fullmatch(line) for line in body.decode().splitlines()]
        return [line["name"] for line in found], 204, b""


class ElasticsearchSide(HttpSide):
    @staticmethod
    def read(path, headers, body):
        assert path.startswith("/_bulk?")
        assert headers["content-type"] == "application/x-ndjson"
        lines = [json.loads(line) for line in body.splitlines()]
        assert body.endswith(b"\n")
        assert all(set(action) == {"create"} for action in lines[::2])
        assert all("@timestamp" in told for told in lines[1::2])
        items = [{"create": {"status": 201}}] * len(lines[::2])
        said = json.dumps({"errors": False, "items": items}).encode()
        return [told["qmon"]["name"] for told in lines[1::2]], 200, said


class WebhookSide(HttpSide):
    @staticmethod
    def read(path, headers, body):
        told = json.loads(body)
        assert {"type", "timestamp", "data"} == set(told)
        assert headers["webhook-id"] == headers["idempotency-key"]
        return [each["fields"]["name"] for each in told["data"]["signals"]], 200, b""


class NativeSide(HttpSide):
    @staticmethod
    def read(path, headers, body):
        assert path == "/api/qmon/frames"
        frames = [decode_frame(each) for each in split_messages(body)]
        said = {"acknowledged": [frame.sequence for frame in frames], "rejected": [], "refused": []}
        return names_in(frames), 200, json.dumps(said).encode()


def names_in(frames):
    return [row.name for frame in frames for block in frame.blocks for row in rows_of(block)]


class SentrySide(HttpSide):
    def at(self, url):
        return {"dsn": f"{url.replace('//', '//key@')}/1", "timeout_s": 0.5}

    @staticmethod
    def read(path, headers, body):
        assert path == "/api/1/envelope/"
        assert "sentry_key=key" in headers["x-sentry-auth"]
        items = Envelope.deserialize(body).items
        told = [json.loads(item.get_bytes()) for item in items]
        assert {"transaction"} == {item.headers["type"] for item in items}
        return [each["transaction"] for each in told], 200, b"{}"


class DatadogSide(HttpSide):
    more = MappingProxyType({"api_key": "k"})

    @staticmethod
    def signal(name):
        return Log(time=1, body=name)

    @staticmethod
    def read(path, headers, body):
        assert path == "/api/v2/logs"
        assert headers["dd-api-key"] == "k"
        return [each["message"] for each in json.loads(body)], 202, b"{}"


class OpenPeer:
    """A socket that is read by a thread, and can be away for a moment."""

    tells_batches = True

    def __init__(self, directory):
        self.directory = directory
        self.told, self.lines = [], []
        self.listen()

    def broken(self):
        self.shut()
        return self.listen

    def close(self):
        self.shut()


class StatsdSide(OpenPeer):
    tells_batches = False

    def __init__(self, directory):
        self.path = directory / "statsd.sock"
        self.options = {"address": f"unix:{self.path}"}
        super().__init__(directory)

    @staticmethod
    def signal(name):
        return Point(time=1, metric=name, kind="counter", value=1.0)

    def listen(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))

    def shut(self):
        self._read()
        self.socket.close()
        self.path.unlink()

    def _read(self):
        self.socket.setblocking(False)
        while True:
            try:
                self.told += self.socket.recv(1 << 16).decode().split("\n")
            except BlockingIOError:
                return

    def arrived(self):
        self._read()
        found = [re.fullmatch(r"(.+):1\|c\|#service:shop", line) for line in self.told]
        return [("", line[1]) for line in found]


class SyslogSide(OpenPeer):
    FORM = re.compile(
        r"<14>1 1970-01-01T00:00:00\.000000Z - shop - log "
        r'\[qmon@32473 batch="(?P<batch>\w+)" line="\d+"\] \ufeff(?P<text>.*)'
    )

    def __init__(self, directory):
        self.port, self.links, self.within = free_port(), [], None
        self.options = {"address": f"127.0.0.1:{self.port}"}
        super().__init__(directory)

    @staticmethod
    def signal(name):
        return Log(time=1, body=name)

    def listen(self):
        self.socket = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self.socket,), daemon=True).start()

    def shut(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for link in self.links:
            link.close()

    def _accept(self, listening):
        while True:
            try:
                link, _ = listening.accept()
            except OSError:
                return
            self.links.append(link)
            threading.Thread(target=self._take, args=(link,), daemon=True).start()

    def _take(self, link):
        try:
            link = self.within.wrap_socket(link, server_side=True) if self.within else link
            with link, link.makefile("rb") as stream:
                while length := read_length(stream):
                    self.lines.append(stream.read(length).decode())
        except OSError:
            return  # who does not trust us, or has nothing to show

    def arrived(self):
        """What was sent a moment ago may be a moment away."""
        deadline, before = time.monotonic() + 2, -1
        while (len(self.lines) != before or not self.lines) and time.monotonic() < deadline:
            before = len(self.lines)
            time.sleep(0.05)
        found = [self.FORM.fullmatch(line) for line in self.lines]
        return [(line["batch"], line["text"]) for line in found]


def read_length(stream):
    digits = b""
    while (byte := stream.read(1)).isdigit():
        digits += byte
    return int(digits or 0)


class NatsSide:
    """The real server: who publishes to JetStream has to have somebody who answers."""

    tells_batches = True

    def __init__(self, directory, backends=None):
        self.server = backends.nats
        self.subject = f"qmon.{uuid.uuid4().hex}"
        self.stream = self.subject.replace(".", "-")
        self.options = {**self.at(self.server.url), "subject": self.subject}
        self._ask(self._make)

    def at(self, url):
        places = [url.replace("http://", "nats://")]
        return {"servers": places, "timeout_s": 0.5, "makes_stream": False}

    signal = staticmethod(HttpSide.signal)

    def arrived(self):
        return self._ask(self._messages)

    def broken(self):
        self._ask(lambda stream: stream.delete_stream(self.stream))
        return lambda: self._ask(self._make)

    def close(self):
        self._ask(lambda stream: stream.delete_stream(self.stream))

    async def _make(self, stream):
        await stream.add_stream(name=self.stream, subjects=[self.subject])

    async def _messages(self, stream):
        count = (await stream.stream_info(self.stream)).state.messages
        raw = [await stream.get_msg(self.stream, seq=number + 1) for number in range(count)]
        assert all("Nats-Msg-Id" in message.headers for message in raw)
        return [
            (message.headers["Qmon-Batch"], name)
            for message in raw
            for name in names_in([decode_frame(message.data)])
        ]

    def _ask(self, question):
        """On a loop of its own: the test may have one."""
        import nats

        async def ask():
            client = await nats.connect(self.server.url)
            try:
                return await question(client.jetstream())
            finally:
                await client.close()

        answers = []
        thread = threading.Thread(target=lambda: answers.append(asyncio.run(ask())))
        thread.start()
        thread.join()
        return answers[0]


class ParquetSide:
    tells_batches = True

    def __init__(self, directory):
        self.directory = directory / "lake"
        self.options = {"directory": str(self.directory)}

    signal = staticmethod(HttpSide.signal)

    def arrived(self):
        import pyarrow.parquet

        files = sorted(self.directory.rglob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
        assert not [path for path in files if path.parent.name != "day=1970-01-01"]
        return [
            (path.stem, name)
            for path in files
            for name in pyarrow.parquet.ParquetFile(path).read()["name"].to_pylist()
        ]

    def broken(self):
        """A file stands in the way."""
        self.directory.write_text("")
        return self.directory.unlink

    def close(self):
        pass


class Faulty:
    """A peer with a fault: `slow`, `dripping`, `half-open`, `garbage`, or a status that it says."""

    def __init__(self, fault):
        self.fault = fault
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.links = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for link in self.links:
            link.close()

    def _accept(self):
        while True:
            try:
                link, _ = self.socket.accept()
            except OSError:
                return
            self.links.append(link)
            threading.Thread(target=self._answer, args=(link,), daemon=True).start()

    def _answer(self, link):
        try:
            if self.fault == "half-open":
                return
            link.recv(1 << 16)
            for piece in self._said():
                link.sendall(piece)
                time.sleep({"slow": 0.7, "dripping": 0.2}.get(self.fault, 0))
            link.close()
        except OSError:
            pass

    def _said(self):
        if self.fault == "garbage":
            return [bytes(range(256)) * 10]
        if self.fault == "slow":
            return [b"HTTP/1.1 503 Not"] + [b"w"] * 20
        if self.fault == "dripping":
            return [b"HTTP/1.1 503 Not"] + [b"w"] * 100
        head = f"HTTP/1.1 {self.fault} No\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
        return [head.encode()]


SIDES = {
    "datadog": DatadogSide,
    "elasticsearch": ElasticsearchSide,
    "influxdb": InfluxdbSide,
    "loki": LokiSide,
    "native": NativeSide,
    "nats": NatsSide,
    "parquet": ParquetSide,
    "prometheus_exposition": PrometheusExpositionSide,
    "prometheus_remote_write": PrometheusRemoteWriteSide,
    "sentry": SentrySide,
    "statsd": StatsdSide,
    "syslog": SyslogSide,
    "webhook": WebhookSide,
}
