"""OTLP as JSON, typed: ids in hex, 64 bits as text or number, names of enumerations or numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from qmon_sdk.protocol.errors import FrameError

from .encoding import Lane, Pair, Pairs
from .json_messages import AnyValue, KeyValue, Logs, Traces
from .json_numbers import Metrics
from .values import text_of

# Not strict: numbers of 64 bits come as texts.
_READ: dict[Lane, msgspec.json.Decoder[Any]] = {
    "traces": msgspec.json.Decoder(Traces, strict=False),
    "metrics": msgspec.json.Decoder(Metrics, strict=False),
    "logs": msgspec.json.Decoder(Logs, strict=False),
}
_REJECTED: dict[Lane, str] = {
    "traces": "rejectedSpans",
    "metrics": "rejectedDataPoints",
    "logs": "rejectedLogRecords",
}
_read_pair = msgspec.json.Decoder(KeyValue, strict=False)
_read_value = msgspec.json.Decoder(AnyValue, strict=False)


class JsonEncoding:
    """`application/json`: of browsers, and whoever has no protobuf."""

    content_type = "application/json"

    def read(self, lane: Lane, body: bytes) -> Any:
        return _parsed(_READ[lane], body)

    def pairs(self) -> Pairs:
        return _RawPairs(_pair)

    def text(self, raw: bytes) -> str:
        return "" if raw == b"null" else text_of(_parsed(_read_value, raw).plain())

    def identify(self, raw: str | None, width: int) -> str:
        if not raw or len(raw) != 2 * width:
            return ""
        try:
            data = bytes.fromhex(raw)
        except ValueError:
            return ""
        return data.hex() if len(data) == width and any(data) else ""

    def success(self, lane: Lane, rejected: int, message: str) -> bytes:
        if not (rejected or message):
            return b"{}"
        told = {_REJECTED[lane]: str(rejected), "errorMessage": message}
        return msgspec.json.encode({"partialSuccess": told})

    def status(self, code: int, message: str) -> bytes:
        return msgspec.json.encode({"code": code, "message": message})


class _RawPairs(Pairs):
    """The same of what was left as it came."""

    def labels(self, raws: Iterable[Any] | None) -> dict[str, str]:
        return super().labels(map(bytes, raws)) if raws else {}


def _pair(raw: bytes) -> Pair:
    told = _parsed(_read_pair, raw)
    return told.key, text_of(told.plain())


def _parsed(decoder: msgspec.json.Decoder[Any], data: bytes) -> Any:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
        raise FrameError(f"not OTLP in JSON: {problem}") from None
