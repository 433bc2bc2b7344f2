"""OTLP as protobuf, by Google's own parser; imported with the first message, for its weight."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from qmon_sdk.protocol.errors import FrameError

from .answers import number_and_text, sized
from .encoding import Lane, Pair, Pairs
from .values import Plain, text_of

_FILES = (
    common_pb2,
    resource_pb2,
    trace_pb2,
    metrics_pb2,
    logs_pb2,
    trace_service_pb2,
    metrics_service_pb2,
    logs_service_pb2,
)
_REQUESTS: dict[Lane, Any] = {
    "traces": trace_service_pb2.ExportTraceServiceRequest,
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest,
    "logs": logs_service_pb2.ExportLogsServiceRequest,
}
_ATTRIBUTE = ".opentelemetry.proto.common.v1.KeyValue"
_LEFT_AS_BYTES = {_ATTRIBUTE, ".opentelemetry.proto.common.v1.AnyValue"}
_FIRST, _SECOND = 0x0A, 0x12  # the first and the second field of a message, each with a length
_SHORT = 0x80  # lengths below that are one byte
_NONE = bytes(16)
_WHOLE = {"KeyValue", "KeyValueList", "ArrayValue", "AnyValue"}


class ProtobufEncoding:
    """`application/x-protobuf`, which is the default of most senders."""

    content_type = "application/x-protobuf"

    def __init__(self) -> None:
        self._requests = _requests_with_bytes()

    def read(self, lane: Lane, body: bytes) -> Any:
        return _parsed(self._requests[lane], body)

    def pairs(self) -> Pairs:
        return _Attributes(_pair)

    def text(self, raw: bytes) -> str:
        return _text(_parsed(common_pb2.AnyValue, raw))

    def identify(self, raw: bytes, width: int) -> str:
        return raw.hex() if len(raw) == width and raw != _NONE[:width] else ""

    def success(self, lane: Lane, rejected: int, message: str) -> bytes:  # noqa: ARG002 - all alike
        # A response has one field, which is a message of a number and a text.
        return b"\x0a" + sized(number_and_text(rejected, message)) if rejected or message else b""

    def status(self, code: int, message: str) -> bytes:
        return number_and_text(code, message)


class _Attributes(Pairs):
    """Taken all at once: protobuf takes twice as long to hand them out one by one."""

    def labels(self, raws: Any) -> dict[str, str]:
        return dict(map(self.__getitem__, raws[:])) if raws else {}


def _pair(raw: bytes) -> Pair:
    """Most are a short key and a short text: those are cut out, in half of the parser's time."""
    try:
        end = 2 + raw[1]
        size = len(raw) - end - 4
        shaped = raw[0] == _FIRST and raw[end] == _SECOND and raw[end + 2] == _FIRST
        if shaped and end + size < _SHORT and raw[end + 1] == size + 2 and raw[end + 3] == size:
            return raw[2:end].decode(), raw[end + 4 :].decode()
    except (IndexError, UnicodeDecodeError):
        pass
    told = _parsed(common_pb2.KeyValue, raw)
    return told.key, _text(told.value)


def _text(value: Any) -> str:
    return value.string_value if value.HasField("string_value") else text_of(_plain(value))


def _plain(value: Any) -> Plain:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(part) for part in value.array_value.values]
    if kind == "kvlist_value":
        return {part.key: _plain(part.value) for part in value.kvlist_value.values}
    return None if kind is None else getattr(value, kind)


def _parsed(kind: Any, data: bytes) -> Any:
    try:
        return kind.FromString(data)
    except DecodeError as problem:
        raise FrameError(f"no {kind.DESCRIPTOR.name} in protobuf: {problem}") from None


def _requests_with_bytes() -> dict[Lane, Any]:
    """The same messages, but attributes are fields of bytes, which is the same on the wire."""
    pool = descriptor_pool.DescriptorPool()
    for module in _FILES:
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for message in file.message_type:
            _leave_as_bytes(message)
        pool.AddSerializedFile(file.SerializeToString())
    return {
        lane: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(request.DESCRIPTOR.full_name)
        )
        for lane, request in _REQUESTS.items()
    }


def _leave_as_bytes(message: Any) -> None:
    for inner in message.nested_type:
        _leave_as_bytes(inner)
    if message.name in _WHOLE:
        return
    for field in message.field:
        if field.type_name in _LEFT_AS_BYTES:
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")
