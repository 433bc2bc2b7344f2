"""Messages of Prometheus's remote write, 1.0 and 2.0, read from bytes that anybody may have sent.

The fields that are needed are a table here, of which protobuf makes its classes when the first
message comes: nothing is generated at build time, and nobody's schema is copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any

import msgspec

_MOST_LABELS = 8192  # are remembered, of which each is some 300 bytes
V1 = "prometheus.WriteRequest"
V2 = "io.prometheus.write.v2.Request"
TYPES = ("", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")

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
}
# The same, but for labels, which stay bytes: most have come before, and are known by them.
_BARE = "prometheus.bare.WriteRequest"
_MESSAGES[_BARE] = tuple(
    (name, tuple(field.replace("labels Label*", "labels bytes*") for field in fields))
    for name, fields in _MESSAGES[V1]
)


class MessageError(ValueError):
    """Bytes that are no message of remote write; `status` is the answer."""

    def __init__(self, reason: str, *, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class Series(msgspec.Struct, kw_only=True):
    """One series of a message, the same whichever version it came by."""

    labels: dict[str, str]
    samples: Sequence[Any]
    histograms: Sequence[Any]
    exemplars: int = 0
    type: str = ""
    unit: str = ""
    created: int = 0
    """Milliseconds; what samples say of themselves goes first."""


class Message(msgspec.Struct, kw_only=True):
    """All that is said, and how much of it nobody can make sense of."""

    series: list[Series] = []
    types: dict[str, str] = {}
    """Metric → type, where a message says that apart from the series."""
    problems: list[str] = []


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


def read_message(data: bytes, kind: str) -> Message:
    """Of `V1` or `V2`; raises MessageError for what is no such message."""
    request = message_class(_BARE if kind == V1 else kind)()
    try:
        request.ParseFromString(data)
    except Exception:  # noqa: BLE001 - whatever it raises, the bytes are at fault
        raise MessageError(f"this is no {kind}") from None
    return _read_v1(request) if kind == V1 else _read_v2(request)


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


def _read_v1(request: Any) -> Message:
    message = Message(series=[], types={}, problems=[])
    for told in request.metadata:
        message.types[told.metric_family_name] = _type(told.type)
    for one in request.timeseries:
        labels = _labels([*map(_label, one.labels)], message)
        if labels is not None:
            message.series.append(
                Series(
                    labels=labels,
                    samples=one.samples,
                    histograms=one.histograms,
                    exemplars=len(one.exemplars),
                )
            )
    return message


@lru_cache(_MOST_LABELS)
def _label(data: bytes) -> tuple[str, str]:
    """Name and value of a label; raises MessageError."""
    label = message_class(V1, "Label")()
    try:
        label.ParseFromString(data)
    except Exception:  # noqa: BLE001 - whatever it raises, the bytes are at fault
        raise MessageError(f"this is no {V1}") from None
    return label.name, label.value


def _read_v2(request: Any) -> Message:
    message = Message(series=[], types={}, problems=[])
    symbols = request.symbols
    for one in request.timeseries:
        try:
            labels = _labels([*_pairs(one.labels_refs, symbols)], message)
            unit = symbols[one.metadata.unit_ref] if one.metadata.unit_ref else ""
        except IndexError:
            message.problems.append("a reference to a symbol that is not there")
            continue
        if labels is not None:
            message.series.append(
                Series(
                    labels=labels,
                    samples=one.samples,
                    histograms=one.histograms,
                    exemplars=len(one.exemplars),
                    type=_type(one.metadata.type),
                    unit=unit,
                    created=one.created_timestamp,
                )
            )
    return message


def _pairs(references: Sequence[int], symbols: Sequence[str]) -> Iterator[tuple[str, str]]:
    for place in range(0, len(references), 2):
        yield symbols[references[place]], symbols[references[place + 1]]


def _labels(pairs: list[tuple[str, str]], message: Message) -> dict[str, str] | None:
    labels = dict(pairs)
    if len(labels) != len(pairs):
        message.problems.append("a series with the same label twice")
        return None
    if not labels.get("__name__"):
        message.problems.append("a series without a name")
        return None
    return {name: value for name, value in labels.items() if value}


def _type(number: int) -> str:
    return TYPES[number] if 0 <= number < len(TYPES) else ""
