"""What OTLP's bytes become is a promise: requests in both encodings, and the signals of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from qmon_agent.ingest.growth import Growth
from qmon_agent.ingest.otlp.encoding import LANES
from qmon_agent.ingest.otlp.json_encoding import JsonEncoding
from qmon_agent.ingest.otlp.translation import Translator, protobuf

HERE = Path(__file__).parent / "otlp"
WRITE = os.environ.get("QMON_GOLDEN") == "write"
NOW = 1_767_225_600_000_000_000
REQUESTS = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}


def signals_of(lane, body, encoding):
    """As JSON to be read: who speaks, and what was said."""
    translator = Translator(Growth(began=0), now=lambda: NOW)
    told = translator.translate(lane, body, encoding)
    groups = [
        {
            "resource": resource.as_dict(),
            "signals": [{type(one).__name__: one.as_dict()} for one in signals],
        }
        for resource, signals in told.parcel.groups
    ]
    return msgspec.json.format(msgspec.json.encode({"rejected": told.rejected, "groups": groups}))


@pytest.mark.parametrize("lane", LANES)
class TestOtlp:
    def test_in_json_becomes_what_it_always_has(self, lane):
        made = signals_of(lane, (HERE / f"{lane}.json").read_bytes(), JsonEncoding())
        if WRITE:
            (HERE / f"{lane}.signals.json").write_bytes(made + b"\n")

        assert (HERE / f"{lane}.signals.json").read_bytes() == made + b"\n"

    def test_in_protobuf_becomes_the_same(self, lane):
        if WRITE:
            (HERE / f"{lane}.bin").write_bytes(in_protobuf(lane))

        made = signals_of(lane, (HERE / f"{lane}.bin").read_bytes(), protobuf())
        assert (HERE / f"{lane}.signals.json").read_bytes() == made + b"\n"


def in_protobuf(lane):
    """The same request; protobuf's own JSON wants ids in base64."""
    from base64 import b64encode

    def right(value):
        if isinstance(value, list):
            return [right(part) for part in value]
        if not isinstance(value, dict):
            return value
        return {
            key: b64encode(bytes.fromhex(part)).decode() if key.endswith("Id") else right(part)
            for key, part in value.items()
        }

    told = right(json.loads((HERE / f"{lane}.json").read_bytes()))
    return ParseDict(told, REQUESTS[lane](), ignore_unknown_fields=True).SerializeToString()
