"""The headers of W3C Trace Context and Baggage; what is not exactly right is as good as absent."""

from __future__ import annotations

from .protocol.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SAMPLED = 0x01
MAX_STATES = 32
MAX_BAGGAGE_MEMBERS = 180
MAX_HEADER = 8192
_MAX_STATE_KEY = 256
_MAX_STATE_VALUE = 256

_DIGITS = "0123456789"
_SMALL = "abcdefghijklmnopqrstuvwxyz"
_HEX = frozenset(_DIGITS + "abcdef")
_STATE_KEY = frozenset(_SMALL + _DIGITS + "_-*/@")
_STATE_VALUE = frozenset(map(chr, range(0x20, 0x7F))) - {",", "="}
_TOKEN = frozenset(_SMALL + _SMALL.upper() + _DIGITS + "!#$%&'*+-.^_`|~")
_OCTETS = frozenset(map(chr, range(0x21, 0x7F))) - frozenset('",;\\')
_UNQUOTED = _OCTETS - {"%"}
_WIDTHS = (2, 32, 16, 2)  # version, trace id, parent id, flags


class Parent(Record):
    """Where a trace goes on from."""

    trace_id: str = ""
    span_id: str = ""
    sampled: bool = True


class Member(Record):
    """One entry of a baggage; properties are passed on as they came."""

    key: str = ""
    value: str = ""
    properties: tuple[str, ...] = ()


def parse_parent(header: str) -> Parent | None:
    """Read a `traceparent`; later versions may say more at the end, version 00 may not."""
    parts = header.strip(" \t").split("-")
    head = parts[: len(_WIDTHS)]
    if tuple(map(len, head)) != _WIDTHS or not all(_HEX.issuperset(part) for part in head):
        return None
    version, trace_id, span_id, flags = head
    if version == "ff" or (version == "00" and len(parts) > len(_WIDTHS)):
        return None
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return Parent(trace_id=trace_id, span_id=span_id, sampled=bool(int(flags, 16) & SAMPLED))


def format_parent(parent: Parent) -> str:
    """Write a `traceparent`."""
    return f"00-{parent.trace_id}-{parent.span_id}-{int(parent.sampled):02x}"


def parse_states(header: str) -> tuple[tuple[str, str], ...]:
    """Read a `tracestate`; one wrong member, or one too many, and none of it is believed."""
    states: dict[str, str] = {}
    if len(header) > MAX_HEADER:
        return ()
    for member in header.split(","):
        key, equals, value = member.strip(" \t").partition("=")
        if not key and not equals:
            continue  # empty members are allowed
        if not equals or key in states or not _is_state(key, value):
            return ()
        states[key] = value
    return tuple(states.items()) if len(states) <= MAX_STATES else ()


def format_states(states: Iterable[tuple[str, str]]) -> str:
    """Write a `tracestate`."""
    return ",".join(f"{key}={value}" for key, value in states)


def parse_baggage(header: str) -> tuple[Member, ...]:
    """Read a `baggage`; wrong members are left out."""
    members: list[Member] = []
    for text in header[:MAX_HEADER].split(",")[:MAX_BAGGAGE_MEMBERS]:
        pair, *properties = (part.strip(" \t") for part in text.split(";"))
        key, equals, value = (part.strip(" \t") for part in pair.partition("="))
        if not equals or not key or not _TOKEN.issuperset(key) or not _OCTETS.issuperset(value):
            continue
        kept = tuple(part for part in properties if part and _is_property(part))
        members.append(Member(key=key, value=_unquoted(value), properties=kept))
    return tuple(members)


def format_baggage(members: Iterable[Member]) -> str:
    """Write a `baggage`, as much of it as may be sent."""
    header = ""
    for member in members:
        text = ";".join((f"{member.key}={_quoted(member.value)}", *member.properties))
        longer = f"{header},{text}" if header else text
        if len(longer) > MAX_HEADER:
            break
        header = longer
    return header


def _is_state(key: str, value: str) -> bool:
    tenant, at, system = key.partition("@")
    begins = key[:1] in _HEX or key[:1].isalpha() if at else key[:1].isalpha()
    known = _STATE_KEY.issuperset(key) and "@" not in system and begins and bool(tenant)
    long = len(key) > _MAX_STATE_KEY or len(value) > _MAX_STATE_VALUE
    return known and not long and _STATE_VALUE.issuperset(value) and not value.endswith(" ")


def _is_property(text: str) -> bool:
    key, _, value = (part.strip(" \t") for part in text.partition("="))
    return bool(key) and _TOKEN.issuperset(key) and _OCTETS.issuperset(value)


def _quoted(text: str) -> str:
    if _UNQUOTED.issuperset(text):
        return text
    raw = text.encode("utf-8", "replace")
    return "".join(chr(byte) if chr(byte) in _UNQUOTED else f"%{byte:02X}" for byte in raw)


def _unquoted(text: str) -> str:
    if "%" not in text:
        return text
    head, *parts = text.encode("ascii").split(b"%")
    raw = head
    for part in parts:
        try:
            raw += (
                bytes.fromhex(part[:2].decode("ascii")) + part[2:] if len(part) > 1 else b"%" + part
            )
        except ValueError:
            raw += b"%" + part
    return raw.decode("utf-8", "replace")
