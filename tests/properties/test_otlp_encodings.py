"""OTLP's two encodings say the same: one message, written in either, becomes the same frames."""

from __future__ import annotations

import json

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from qmon_agent.ingest.growth import Growth
from qmon_agent.ingest.otlp.json_encoding import JsonEncoding
from qmon_agent.ingest.otlp.translation import Translator, protobuf
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import Frame, decode_frame, encode_frame

IDS = {"traceId", "spanId", "parentSpanId"}
NOW = 1_767_225_600_000_000_000

texts = st.text(max_size=6)
times = st.integers(0, (1 << 64) - 1) | st.integers(NOW, NOW + 1000)
reals = st.floats(allow_nan=False)
values = st.recursive(
    st.builds(AnyValue, string_value=texts)
    | st.builds(AnyValue, bool_value=st.booleans())
    | st.builds(AnyValue, int_value=st.integers(-(1 << 63), (1 << 63) - 1))
    | st.builds(AnyValue, double_value=reals)
    | st.builds(AnyValue, bytes_value=st.binary(max_size=6))
    | st.just(AnyValue()),
    lambda inner: (
        st.builds(
            lambda parts: AnyValue(array_value=ArrayValue(values=parts)),
            st.lists(inner, max_size=3),
        )
        | st.builds(
            lambda parts: AnyValue(kvlist_value=KeyValueList(values=parts)),
            st.lists(st.builds(KeyValue, key=texts, value=inner), max_size=3),
        )
    ),
    max_leaves=5,
)
keys = texts | st.sampled_from(["service.name", "user.id", "exception.type", "exception.message"])
attributes = st.lists(st.builds(KeyValue, key=keys, value=values), max_size=3)
trace_ids, span_ids = st.sampled_from([b"", b"\1" * 16]), st.sampled_from([b"", b"\2" * 8, b"\3"])


def filled(request, *path):
    """A strategy for a request with one thing in it, which further strategies fill."""

    def fill(resource, fields, name):
        message = request()
        part = message
        for step in path:
            part = getattr(part, step).add()
        outer = getattr(message, path[0])[0]
        outer.resource.attributes.extend(resource)
        getattr(outer, path[1])[0].scope.name = name
        for field, value in fields.items():
            made = getattr(part, field)
            if hasattr(made, "extend"):
                made.extend(value)
            elif hasattr(made, "CopyFrom"):
                made.CopyFrom(value)
            else:
                setattr(part, field, value)
        return message

    return fill


def a_request(request, *path, **fields):
    fill = filled(request, *path)
    return st.builds(fill, attributes, st.fixed_dictionaries({}, optional=fields), texts)


def repeated(kind, **fields):
    return st.lists(st.builds(kind, **fields), max_size=2)


SPAN = ExportTraceServiceRequest().resource_spans.add().scope_spans.add().spans.add()
spans = a_request(
    ExportTraceServiceRequest,
    "resource_spans",
    "scope_spans",
    "spans",
    trace_id=trace_ids,
    span_id=span_ids,
    name=texts,
    kind=st.integers(0, 6),
    start_time_unix_nano=times,
    end_time_unix_nano=times,
    attributes=attributes,
    status=st.builds(type(SPAN.status), code=st.integers(0, 2), message=texts),
    events=repeated(
        type(SPAN.events.add()),
        name=texts | st.just("exception"),
        time_unix_nano=times,
        attributes=attributes,
    ),
    links=repeated(
        type(SPAN.links.add()), trace_id=trace_ids, span_id=span_ids, attributes=attributes
    ),
)
lines = a_request(
    ExportLogsServiceRequest,
    "resource_logs",
    "scope_logs",
    "log_records",
    time_unix_nano=times,
    severity_number=st.integers(0, 24),
    severity_text=texts,
    body=values,
    attributes=attributes,
    trace_id=trace_ids,
    span_id=span_ids,
    event_name=texts,
)
METRIC = ExportMetricsServiceRequest().resource_metrics.add().scope_metrics.add().metrics.add()
counts = st.lists(st.integers(0, (1 << 64) - 1) | st.integers(0, 9), max_size=4)
usual = {"time_unix_nano": times, "start_time_unix_nano": times, "attributes": attributes}
number = type(METRIC.gauge.data_points.add())
numbers = repeated(number, as_double=reals, **usual) | repeated(
    number, as_int=st.integers(-(1 << 63), (1 << 63) - 1), **usual
)
temporality = st.integers(0, 2)
measured = {"count": st.integers(0, (1 << 64) - 1), "sum": reals, "min": reals, "max": reals}
side = st.builds(
    type(METRIC.exponential_histogram.data_points.add().positive),
    offset=st.integers(-(1 << 31), (1 << 31) - 1),
    bucket_counts=counts,
)
metrics = a_request(
    ExportMetricsServiceRequest,
    "resource_metrics",
    "scope_metrics",
    "metrics",
    name=texts,
    unit=texts,
    gauge=st.builds(type(METRIC.gauge), data_points=numbers),
    sum=st.builds(
        type(METRIC.sum),
        data_points=numbers,
        aggregation_temporality=temporality,
        is_monotonic=st.booleans(),
    ),
    histogram=st.builds(
        type(METRIC.histogram),
        aggregation_temporality=temporality,
        data_points=repeated(
            type(METRIC.histogram.data_points.add()),
            bucket_counts=counts,
            explicit_bounds=st.lists(reals, max_size=3),
            **measured,
            **usual,
        ),
    ),
    exponential_histogram=st.builds(
        type(METRIC.exponential_histogram),
        aggregation_temporality=temporality,
        data_points=repeated(
            type(METRIC.exponential_histogram.data_points.add()),
            scale=st.integers(-(1 << 31), (1 << 31) - 1) | st.integers(-3, 20),
            zero_count=st.integers(0, 9),
            positive=side,
            negative=side,
            **measured,
            **usual,
        ),
    ),
)


def in_json(message):
    """As OTLP has it: ids in hex, and not what protobuf's own JSON makes of bytes."""

    def right(value):
        if isinstance(value, list):
            return [right(part) for part in value]
        if isinstance(value, dict):
            return {key: hexed(key, part) for key, part in value.items()}
        return value

    def hexed(key, part):
        import base64

        return base64.b64decode(part).hex() if key in IDS else right(part)

    return json.dumps(right(MessageToDict(message))).encode()


def frames_of(lane, body, encoding):
    translator = Translator(Growth(began=0), now=lambda: NOW)
    told = translator.translate(lane, body, encoding)
    frames = [
        encode_frame(Frame(resource=resource, blocks=blocks_of(signals)))
        for resource, signals in told.parcel.groups
    ]
    # NaN is written as it is, so that equal bytes are equal frames.
    assert all(decode_frame(frame) for frame in frames)
    return frames, told.rejected


class TestBothEncodings:
    @pytest.mark.parametrize(
        ("lane", "messages"), [("traces", spans), ("logs", lines), ("metrics", metrics)]
    )
    def test_say_the_same(self, lane, messages):
        @settings(max_examples=60, deadline=None)
        @given(messages)
        def law(message):
            ours = frames_of(lane, message.SerializeToString(), protobuf())
            assert ours == frames_of(lane, in_json(message), JsonEncoding())

        law()

    @pytest.mark.parametrize("lane", ["traces", "logs", "metrics"])
    @pytest.mark.parametrize("encoding", [protobuf(), JsonEncoding()], ids=["protobuf", "json"])
    def test_raise_nothing_else_whatever_the_bytes(self, lane, encoding):
        @settings(max_examples=100, deadline=None)
        @given(st.binary(max_size=60))
        def law(body):
            try:
                frames_of(lane, body, encoding)
            except WireError:
                pass

        law()
