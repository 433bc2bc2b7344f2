"""The other side of every sink: who takes what is sent, as strict as its protocol has it."""

from __future__ import annotations

import json
import threading
from urllib.parse import urlsplit

import peers
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from peers import HttpSide
from proxies import FaultProxy

from qmon_sdk.protocol.signals import kind_of


class OtlpSide(HttpSide):
    @staticmethod
    def read(path, headers, body):
        assert path == "/v1/traces"
        parts = ExportTraceServiceRequest.FromString(body).resource_spans
        spans = [span.name for part in parts for scope in part.scope_spans for span in scope.spans]
        return spans, 200, b""


class FileSide:
    tells_batches = True
    signal = staticmethod(HttpSide.signal)

    def __init__(self, directory):
        self.path = directory / "out" / "signals.ndjson"
        self.options = {"path": str(self.path)}

    def arrived(self):
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        told = [json.loads(line) for line in lines]
        return [(f"{line['batch']}/{line['line']}", line["fields"]["name"]) for line in told]

    def close(self):
        pass


ANSWER_S = 2.0  # a busy machine reads a large envelope in a second
SIDES = {**peers.SIDES, "file": FileSide, "otlp": OtlpSide}


class Behind:
    """One side, through a proxy where it is reached by TCP; read all the while."""

    def __init__(self, name, directory, backends):
        self.name = name
        directory.mkdir()
        further = {"backends": backends} if name == "nats" else {}
        self.side = SIDES[name](directory, **further)
        self.proxy = FaultProxy(port) if (port := self._port()) else None
        self.kind = kind_of(self.side.signal("x"))
        self.done = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @property
    def options(self):
        """Those of the side, but by the proxy."""
        side, proxy = self.side, self.proxy
        if proxy is None:
            # Whole minutes are gathered for one file of Parquet, unless told otherwise.
            return {**side.options, "wait_s": 1.0} if self.name == "parquet" else side.options
        if self.name == "syslog":
            return {**side.options, "address": f"127.0.0.1:{proxy.port}"}
        return {**side.options, **side.at(proxy.url), "timeout_s": ANSWER_S}

    def _port(self):
        if isinstance(self.side, HttpSide):
            return urlsplit(self.side.receiver.url).port
        if self.name == "nats":
            return urlsplit(self.side.server.url).port
        return self.side.port if self.name == "syslog" else None

    def _read(self):
        """Nobody who sends by datagrams may wait for us."""
        while hasattr(self.side, "_read") and not self.done.wait(0.05):
            self.side._read()

    def arrived(self):
        self.done.set()
        self.reader.join()
        return self.side.arrived()

    def close(self):
        self.done.set()
        self.reader.join()
        if self.proxy:
            self.proxy.close()
        self.side.close()
