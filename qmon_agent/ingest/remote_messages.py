"""Messages of Prometheus's remote write, 1.0 and 2.0, read from bytes that anybody may have sent.

The fields that are needed are a table here, of which protobuf makes its classes when the first
message comes: nothing is generated at build time, and nobody's schema is copied.
"""

from __future__ import annotations

from functools import cache
from typing import Any

V1 = "prometheus.WriteRequest"
V2 = "io.prometheus.write.v2.Request"
READ, READ_ANSWER = "prometheus.ReadRequest", "prometheus.ReadResponse"

_SPAN = "BucketSpan", ("1 offset sint32", "2 length uint32")
_HISTOGRAM = (
    "Histogram",
    (
        "1 count_int uint64",
        "2 count_float double",
        "3 sum double",
        "4 schema sint32",
        "6 zero_count_int uint64",
        "7 zero_count_float double",
        "8 negative_spans BucketSpan*",
        "9 negative_deltas sint64*",
        "10 negative_counts double*",
        "11 positive_spans BucketSpan*",
        "12 positive_deltas sint64*",
        "13 positive_counts double*",
        "14 reset_hint int32",
        "15 timestamp int64",
        "16 custom_values double*",
        "17 start_timestamp int64",
    ),
)
_SAMPLE = "Sample", ("1 value double", "2 timestamp int64", "3 start_timestamp int64")
_MESSAGES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    V1: (
        _SPAN,
        _HISTOGRAM,
        _SAMPLE,
        ("Label", ("1 name string", "2 value string")),
        ("Exemplar", ("2 value double",)),
        ("MetricMetadata", ("1 type int32", "2 metric_family_name string", "5 unit string")),
        (
            "TimeSeries",
            (
                "1 labels Label*",
                "2 samples Sample*",
                "3 exemplars Exemplar*",
                "4 histograms Histogram*",
            ),
        ),
        ("WriteRequest", ("1 timeseries TimeSeries*", "3 metadata MetricMetadata*")),
    ),
    V2: (
        _SPAN,
        _HISTOGRAM,
        _SAMPLE,
        ("Exemplar", ("2 value double",)),
        ("Metadata", ("1 type int32", "4 unit_ref uint32")),
        (
            "TimeSeries",
            (
                "1 labels_refs uint32*",
                "2 samples Sample*",
                "3 histograms Histogram*",
                "4 exemplars Exemplar*",
                "5 metadata Metadata",
                "6 created_timestamp int64",
            ),
        ),
        ("Request", ("4 symbols string*", "5 timeseries TimeSeries*")),
    ),
    READ: (
        ("LabelMatcher", ("1 type int32", "2 name string", "3 value string")),
        (
            "Query",
            (
                "1 start_timestamp_ms int64",
                "2 end_timestamp_ms int64",
                "3 matchers LabelMatcher*",
            ),
        ),
        ("ReadRequest", ("1 queries Query*",)),
    ),
    READ_ANSWER: (
        ("Sample", ("1 value double", "2 timestamp int64")),
        ("Label", ("1 name string", "2 value string")),
        ("TimeSeries", ("1 labels Label*", "2 samples Sample*")),
        ("QueryResult", ("1 timeseries TimeSeries*",)),
        ("ReadResponse", ("1 results QueryResult*",)),
    ),
}
# The same, but for what most often has come before, and is known by its bytes then.
BARE = "prometheus.bare.WriteRequest"
_LEFT_AS_BYTES = ("labels Label*", "labels bytes*"), ("timeseries TimeSeries*", "timeseries bytes*")


def _bare(field: str) -> str:
    for told, left in _LEFT_AS_BYTES:
        field = field.replace(told, left)
    return field


_MESSAGES[BARE] = tuple((name, tuple(map(_bare, fields))) for name, fields in _MESSAGES[V1])


class MessageError(ValueError):
    """Bytes that are no message of remote write; `status` is the answer."""

    def __init__(self, reason: str, *, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


def unpacked(body: bytes, *, most: int) -> bytes:
    """A snappy block; its length is looked at before anything is unpacked. Raises MessageError."""
    declared_size(body, most=most)
    import cramjam

    try:
        return bytes(cramjam.snappy.decompress_raw(body))
    except Exception:  # noqa: BLE001 - whatever it raises, the bytes are at fault
        raise MessageError("this is no block of snappy") from None


def declared_size(body: bytes, *, most: int) -> int:
    """How many bytes a block of snappy says to be unpacked; raises MessageError."""
    declared = _declared(body)
    if declared > most:
        raise MessageError(f"a message has at most {most} bytes", status=413)
    return declared


@cache
def message_class(kind: str, part: str = "") -> Any:
    """The class of a whole request, or of a message in it."""
    from google.protobuf import message_factory

    package, _, whole = f"qmon.{kind}".rpartition(".")
    found = _pool(kind).FindMessageTypeByName(f"{package}.{part or whole}")
    return message_factory.GetMessageClass(found)


@cache
def _pool(kind: str) -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool

    package = f"qmon.{kind}".rpartition(".")[0]
    file = descriptor_pb2.FileDescriptorProto(
        name=f"qmon/{kind}.proto", package=package, syntax="proto3"
    )
    for name, fields in _MESSAGES[kind]:
        message = file.message_type.add(name=name)
        for field in fields:
            _add_field(message, field, package)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _add_field(message: Any, told: str, package: str) -> None:
    number, name, kind = told.split()
    field = message.field.add(name=name, number=int(number))
    field.label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
    kind = kind.rstrip("*")
    if kind[0].isupper():
        field.type, field.type_name = field.TYPE_MESSAGE, f".{package}.{kind}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")


def _declared(body: bytes) -> int:
    """The length a block says it has: seven bits in each byte, the lowest first."""
    length = 0
    for place, byte in enumerate(body[:5]):
        length |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - no more follow
            return length
    raise MessageError("this is no block of snappy")
