"""Attribute values: snapshots that the application cannot change any more, and their text."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from math import isfinite

from qmon_sdk.json_text import array, members, quoted
from qmon_sdk.rendering import HIDDEN, label, names_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PLAIN = frozenset({str, int, float, bool})
"""Types whose values are kept as they are."""

_DEPTH = 8
_PAIR = 2
_PARTS = 1000  # of one value, all its levels together
_BASES = (str, int, float)
_LAST = (1 << 62) - 1  # the end of a span, too, is to be a number of 64 bits


def snapshot(value: Any) -> Any:
    """Copy a value: sequences to tuples, mappings to dicts; what is neither of these, to text."""
    if type(value) in PLAIN:
        return value
    return _copied(value, _DEPTH, [_PARTS])


def _copied(value: Any, depth: int, room: list[int]) -> Any:
    kind = type(value)
    if kind in PLAIN or value is None or kind is bytes:
        return value
    room[0] -= 1
    if isinstance(value, _BASES):  # a member of an enumeration, say, without its class
        return _plain(value)
    if depth and isinstance(value, Mapping):
        return _copied_pairs(value, depth, room)
    if depth and isinstance(value, Sequence):
        return tuple(_copied(part, depth - 1, room) for part in value[: max(room[0], 0)])
    return label(value)


def _copied_pairs(value: Mapping[Any, Any], depth: int, room: list[int]) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for key, part in value.items():
        if room[0] <= 0:
            break
        room[0] -= 1
        pairs[key if type(key) is str else label(key)] = _copied(part, depth - 1, room)
    return pairs


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    return int.__int__(value) if isinstance(value, int) else float.__float__(value)


def text(value: Any, hides: Callable[[str], bool]) -> Any:
    """Write what is not plain as text: bytes in base64, the rest as JSON without secrets."""
    kind = type(value)
    if kind in PLAIN or value is None:
        return value
    return b64encode(value).decode("ascii") if kind is bytes else _json(value, hides)


def _json(value: Any, hides: Callable[[str], bool]) -> str:
    kind = type(value)
    if kind is str:
        return quoted(value)
    if kind is tuple:
        return _json_array(value, hides)
    if kind is dict:
        pairs = [
            (key, quoted(HIDDEN) if hides(key) else _json(part, hides))
            for key, part in value.items()
        ]
        return "{" + members(*pairs) + "}"
    return _short(value)


def _json_array(values: tuple[Any, ...], hides: Callable[[str], bool]) -> str:
    parts: list[str] = []
    secret = False
    for value in values:
        parts.append(quoted(HIDDEN) if secret else _json(value, hides))
        secret = names_secret(value, hides, in_pair=len(values) == _PAIR and len(parts) == 1)
    return array(parts)


def _short(value: Any) -> str:
    """Write a value without parts."""
    if value is None:
        return "null"
    if type(value) is bytes:
        return quoted(b64encode(value).decode("ascii"))
    if type(value) is float and not isfinite(value):
        return quoted(str(value))
    return label(value)


def moment(value: Any) -> int | None:
    """Read nanoseconds since 1970, within what 64 bits hold; `None` for what is no time."""
    if not isinstance(value, int | float) or (type(value) is float and not isfinite(value)):
        return None
    return max(min(int(value), _LAST), -_LAST)


def word(name: Any) -> str:
    """Take a name for what it is meant to be."""
    return name if type(name) is str else label(name)


def add(attributes: Mapping[Any, Any] | None, to: dict[str, Any], most: int) -> int:
    """Take snapshots of attributes, up to `most` in all, and say how many had no room."""
    dropped = 0
    for key, value in (attributes or {}).items():
        if not key:
            continue
        if key in to or len(to) < most:
            to[key] = value if type(value) in PLAIN else snapshot(value)
        else:
            dropped += 1
    return dropped
