"""Reads JSON of strangers: what is of another type than expected is as good as not there."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from qmon_sdk.protocol.errors import WireError

MAX_TEXT = 8192
MAX_NAME = 255
MOST_LABELS = 256
_END_OF_TIME = 1 << 63
_MAX_DEPTH = 20  # of what is written as JSON again
_SECOND_NS = 1_000_000_000
_HEX = re.compile(r"[0-9a-f]{1,64}")
_HUGE = re.compile(rb"[0-9]{19}")  # may be a number that does not fit into 64 bits


class NotJsonError(WireError):
    """Bytes that are no JSON, or nested deeper than anybody means to."""

    reason = "invalid_json"


def decoded(data: bytes) -> Any:
    """Read JSON; raises NotJsonError. Half a character, and NaN, are taken as they are."""
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise NotJsonError("nested too deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return json.loads(data)  # takes what JavaScript and Python write against the standard
    except (ValueError, RecursionError) as problem:
        raise NotJsonError(str(problem)[:200]) from None


def text(value: Any, limit: int = MAX_TEXT) -> str:
    """A text as it is, numbers and flags as JSON has them, containers as JSON; bounded."""
    if type(value) is str and len(value) <= limit and value.isascii():
        return value
    return "" if value is None else _bounded(value, limit)


def _bounded(value: Any, limit: int) -> str:
    if isinstance(value, str):
        written = value[: limit + 1]
    elif isinstance(value, bool | int | float):
        written = str(value).lower() if isinstance(value, bool) else str(value)
    else:
        written = _json_of(value).decode()[: limit + 1]
    if not written.isascii():
        written = written.encode("utf-8", "replace").decode("utf-8")
    return written if len(written) <= limit else written[: limit - 1] + "…"


def _json_of(value: Any) -> bytes:
    """JSON of a container; the way of most, which is short and flat, is the encoder's own."""
    try:
        written = msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError, RecursionError):
        return msgspec.json.encode(_whole(value))
    is_usual = written.count(b"[") + written.count(b"{") <= _MAX_DEPTH
    return written if is_usual and not _HUGE.search(written) else msgspec.json.encode(_whole(value))


def name(value: Any) -> str:
    """A text with few values."""
    if type(value) is str and len(value) <= MAX_NAME and value.isascii():
        return value
    return text(value, MAX_NAME)


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def mappings(value: Any) -> Iterable[Mapping[str, Any]]:
    """Those of a list that are objects."""
    return (each for each in sequence(value) if isinstance(each, dict))


def number(value: Any) -> float:
    """A finite number; 0.0 for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0.0
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return 0.0
    return found if math.isfinite(found) else 0.0


def whole(value: Any) -> int:
    """A number without a fraction, within 64 bits."""
    found = int(number(value))
    return found if -_END_OF_TIME <= found < _END_OF_TIME else 0


def moment(value: Any) -> int:
    """Nanoseconds since 1970, of a number of seconds or a text after RFC 3339; 0 for none."""
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        try:
            told = datetime.fromisoformat(value[:40])
            seconds = (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return 0
    else:
        seconds = number(value)
    is_time = 0 <= seconds < _END_OF_TIME / _SECOND_NS
    return round(seconds * 1_000_000) * 1000 if is_time else 0  # a double holds no more


def length(seconds: Any) -> int:
    """Nanoseconds of a number of seconds."""
    found = number(seconds)
    return round(found * _SECOND_NS) if 0 <= found < _END_OF_TIME / _SECOND_NS else 0


def identity(value: Any) -> str:
    """An id in lower-case hexadecimal, without dashes; nothing for what is none."""
    if not isinstance(value, str):
        return ""
    found = value.replace("-", "").lower()
    return found if _HEX.fullmatch(found) else ""


def labels(pairs: Any, prefix: str = "") -> dict[str, str]:
    """A map of text to text of an object, or of a list of pairs; empty texts are left out."""
    if isinstance(pairs, list):
        pairs = {text(pair[0], MAX_NAME): pair[1] for pair in pairs if _is_pair(pair)}
    found: dict[str, str] = {}
    for key, value in mapping(pairs).items():
        if len(found) >= MOST_LABELS:
            break
        if written := text(value):
            found[prefix + text(key, MAX_NAME)] = written
    return found


def as_json(value: Any) -> str:
    """JSON of what is known to be encodable."""
    return msgspec.json.encode(value).decode()


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2  # noqa: PLR2004 - that is a pair


def _whole(value: Any, depth: int = 0) -> Any:
    """The same with whole characters and usual numbers only: JSON encoders refuse others."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict | list):
        return _whole_inside(value, depth + 1)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    is_huge = type(value) is int and not -_END_OF_TIME <= value < _END_OF_TIME
    return str(value) if is_huge else value


def _whole_inside(value: dict[Any, Any] | list[Any], depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return "…"
    if isinstance(value, list):
        return [_whole(each, depth) for each in value]
    return {_whole(key): _whole(each, depth) for key, each in value.items()}
