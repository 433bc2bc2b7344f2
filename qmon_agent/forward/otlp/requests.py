"""A batch as OTLP requests: bounded in size, made when asked for, and the same ones each time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from qmon_agent.forward.batch import Batch, signals_of
from qmon_agent.ingest.foreign import is_beside_original, original_of, rows_of_original
from qmon_sdk.protocol.frames import Frame
from qmon_sdk.protocol.signals import Signal

from .attributes import Attributes
from .logs import logs_of
from .points import points_of
from .spans import spans_of

PROTOCOL = "otlp"
PROTOBUF = "application/x-protobuf"
# Some 1 MiB of protobuf: collectors take 4 to 20, and this much is in memory at once.
ROWS = 4096


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One of OTLP's three ways in."""

    path: str
    request: Any
    answer: Any
    rejected: str


TRACES = Lane(
    path="v1/traces",
    request=trace_service_pb2.ExportTraceServiceRequest,
    answer=trace_service_pb2.ExportTraceServiceResponse,
    rejected="rejected_spans",
)
METRICS = Lane(
    path="v1/metrics",
    request=metrics_service_pb2.ExportMetricsServiceRequest,
    answer=metrics_service_pb2.ExportMetricsServiceResponse,
    rejected="rejected_data_points",
)
LOGS = Lane(
    path="v1/logs",
    request=logs_service_pb2.ExportLogsServiceRequest,
    answer=logs_service_pb2.ExportLogsServiceResponse,
    rejected="rejected_log_records",
)
LANES = (TRACES, METRICS, LOGS)
_LANE_OF = {"span": TRACES, "point": METRICS}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted at once; `key` is the same whenever the same is posted again."""

    lane: Lane
    key: str
    rows: int
    body: bytes = b""
    content_type: str = PROTOBUF
    problem: str = ""
    """Why these rows cannot be written at all; then there is nothing to post."""


class _Filling:
    """The request of one lane that takes more."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._rows = 0
        self._message = lane.request()

    def add(self, part: Any, rows: int) -> bool:
        """Whether it is full now. A message has one field, which repeats."""
        getattr(self._message, self._lane.request.DESCRIPTOR.fields[0].name).append(part)
        self._rows += rows
        return self._rows >= ROWS

    def take(self, key: str) -> Iterator[Request]:
        if self._rows:
            body = self._message.SerializeToString()
            yield Request(lane=self._lane, key=key, rows=self._rows, body=body)
        self._rows, self._message = 0, self._lane.request()


def requests_of(batch: Batch) -> Iterator[Request]:
    made, number = Attributes(), 0
    filling = {lane.path: _Filling(lane) for lane in LANES}
    for frame in batch.frames:
        if original := _original_of(frame):
            number += 1
            yield msgspec.structs.replace(original, key=f"{batch.id}-{number}")
        for kind, rows in _pieces_of(frame):
            lane = _LANE_OF.get(kind, LOGS)
            try:
                part = _part(frame, kind, rows=rows, made=made)
            except (TypeError, ValueError) as error:
                # A number beyond 64 bits, say. What is beside it shall not suffer.
                yield _unwritable(lane, rows, error)
                continue
            if filling[lane.path].add(part, len(rows)):
                number += 1
                yield from filling[lane.path].take(f"{batch.id}-{number}")
    for each in filling.values():
        number += 1
        yield from each.take(f"{batch.id}-{number}")


def _original_of(frame: Frame) -> Request | None:
    """A message that came by OTLP goes on as it came, whatever we have read of it."""
    told = original_of(frame)
    if told is None or told[0] != PROTOCOL:
        return None
    _, path, content_type, body = told
    for lane in LANES:
        if lane.path == f"v1/{path}":
            rows = rows_of_original(frame)
            return Request(lane=lane, key="", rows=rows, body=body, content_type=content_type)
    return None


def _pieces_of(frame: Frame) -> Iterator[tuple[str, list[Signal]]]:
    """What is to be written anew: nothing of what goes on as it came."""
    if is_beside_original(frame, PROTOCOL):
        return
    for kind, signals in signals_of(frame):
        for start in range(0, len(signals), ROWS):
            yield kind, signals[start : start + ROWS]


def _part(frame: Frame, kind: str, *, rows: list[Signal], made: Attributes) -> Any:
    if kind == "span":
        return spans_of(frame, rows, made)
    if kind == "point":
        return points_of(frame, rows, made)
    return logs_of(frame, kind, rows=rows, made=made)


def _unwritable(lane: Lane, rows: list[Signal], error: Exception) -> Request:
    problem = f"cannot be written for {lane.path}: {error}"
    return Request(lane=lane, key="", rows=len(rows), problem=problem)


def rejected_by(lane: Lane, answer: bytes) -> tuple[int, str]:
    """How many of a request's rows were not taken though the rest was, and why."""
    if answer.startswith(b"{"):  # the first byte of no answer in protobuf
        return _rejected_in_json(answer)
    try:
        partial = lane.answer.FromString(answer).partial_success
    except DecodeError:
        # Some answer 200 with a text of their own: taken is taken.
        return 0, ""
    return getattr(partial, lane.rejected), partial.error_message


class _Partial(msgspec.Struct, rename="camel"):
    rejected_spans: int = 0
    rejected_data_points: int = 0
    rejected_log_records: int = 0
    error_message: str = ""


class _Answer(msgspec.Struct, rename="camel"):
    partial_success: _Partial = msgspec.field(default_factory=_Partial)


def _rejected_in_json(answer: bytes) -> tuple[int, str]:
    try:
        told = msgspec.json.decode(answer, type=_Answer, strict=False).partial_success
    except msgspec.MsgspecError:
        return 0, ""
    counts = (told.rejected_spans, told.rejected_data_points, told.rejected_log_records)
    return sum(counts), told.error_message
