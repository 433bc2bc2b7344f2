"""The two byte rings inside of a flight ring: notes, and messages that are not acknowledged.

What is not whole, or makes no sense, is left out; nothing here raises for any bytes.
"""

from __future__ import annotations

from msgpack import unpackb

from . import flight
from .columns import rows_of
from .errors import WireError
from .flight import HELD, NOTE, WORD
from .frames import decode_frame, split_messages
from .records import Record
from .signals import FIELDS, NO_LABELS, SIGNALS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .signals import Signal

_INT64 = 1 << 63
_KEPT = {note: kind for kind, note in flight.KEPT.items()}


class Held(Record):
    """A frame that nobody has acknowledged, and which spans and logs are in it."""

    sequence: int = 0
    logged: int = 0
    frame: bytes = b""
    spans: frozenset[int] = frozenset()


class Note(Record):
    """One entry of the notes: where it is, what kind it is of, its bytes."""

    position: int = 0
    kind: int = 0
    payload: bytes = b""


def notes_in(data: bytes) -> list[Note]:
    """Find the notes that are whole, oldest first."""
    return sorted(_notes(data), key=lambda note: note.position)


def _notes(data: bytes) -> Iterator[Note]:
    (end,) = WORD.unpack_from(data, flight.NOTED)
    offset, last = 0, flight.NOTES_BYTES - NOTE.size
    while offset <= last:
        at = flight.NOTES_AT + offset
        position, length, kind, _ = NOTE.unpack_from(data, at)
        is_here = position % flight.NOTES_BYTES == offset
        is_young = end - flight.NOTES_BYTES <= position < end and position
        if is_here and is_young and length <= last - offset:
            at += NOTE.size
            yield Note(position=position, kind=kind, payload=data[at : at + length])
            offset += length + 7 & ~7  # what it says is not looked at for further notes
            offset += NOTE.size
        else:
            offset += 8


def crumbs_in(notes: list[Note]) -> list[str]:
    """Read the breadcrumbs, oldest first, less those of scopes that had ended."""
    crumbs: list[tuple[str, str]] = []
    over: set[str] = set()
    for note in reversed(notes):
        text = note.payload.rstrip(b"\0").decode("utf-8", "replace")
        if note.kind == flight.SCOPE_OVER:
            over.add(text)
        elif note.kind == flight.CRUMB:
            crumbs.append(_scoped(text))
    return [crumb for crumb, scope in reversed(crumbs) if scope not in over]


def _scoped(crumb: str) -> tuple[str, str]:
    """Part a breadcrumb from the number of the scope it was noted in."""
    said, is_there, scope = crumb.rpartition(flight.IN_SCOPE)
    scope = scope.removesuffix('"}')
    if is_there and scope.isalnum():
        return said + "}", scope
    return crumb, ""


def kept_in(notes: list[Note], told: int) -> Iterator[Signal]:
    """Read the signals that no frame has: those from the position `told` on."""
    for note in notes:
        kind = _KEPT.get(note.kind)
        if kind is None or note.position < told:
            continue
        said, fields = unpacked(note.payload), FIELDS[kind]
        if not isinstance(said, list):
            continue
        # Who wrote it may be older than this reader, or newer: fields are only ever appended.
        said = said[: len(fields)] + [field.default for field in fields[len(said) :]]
        plain = [_FIT[field.role](value) for field, value in zip(fields, said, strict=True)]
        if all(plain):
            yield tuple.__new__(SIGNALS[kind], said)  # type: ignore[type-var]


def held_in(data: bytes, process: bytes) -> list[Held]:
    """Walk the unacknowledged messages of a process, by their sequence."""
    found = {held.sequence: held for held in _held(data, process)}
    return [found[sequence] for sequence in sorted(found)]


def _held(data: bytes, process: bytes) -> Iterator[Held]:
    at, end = (WORD.unpack_from(data, word)[0] for word in (flight.FRAMES_TAIL, flight.FRAMES_HEAD))
    turns = 0
    while at != end and at < flight.FRAMES_BYTES and turns <= 1:
        if at > flight.FRAMES_BYTES - HELD.size:  # too near the end even to say so
            at, turns = 0, turns + 1
            continue
        here = flight.FRAMES_AT + at
        length, sequence, logged, live = HELD.unpack_from(data, here)
        if length == flight.WRAP:
            at, turns = 0, turns + 1
            continue
        after = at + HELD.size + (length + 7 & ~7)
        if not length or after > flight.FRAMES_BYTES:
            return
        if live == 1:
            message = data[here + HELD.size : here + HELD.size + length]
            if (held := _frame_in(message, process, (sequence, logged))) is not None:
                yield held
        at = after % flight.FRAMES_BYTES
        turns += at == 0


def _frame_in(message: bytes, process: bytes, said: tuple[int, int]) -> Held | None:
    """Read the one frame of a message; nothing, if it is not whole or somebody else's."""
    sequence, logged = said
    try:
        (frame,) = split_messages(message)
        read = decode_frame(frame)
        if (read.process, read.sequence) != (process, sequence):
            return None
        rows = [rows_of(block) for block in read.blocks if block.kind in SIGNALS]
        spans = [row for kind in rows for row in kind if type(row) is SIGNALS["span"]]
        ids = frozenset(int(row.span_id or "0", 16) for row in spans)  # type: ignore[attr-defined]
    except (WireError, ValueError):
        return None
    return Held(sequence=sequence, logged=logged, frame=frame, spans=ids)


def unpacked(data: bytes) -> Any:
    """Read one msgpack value, or None: whatever the bytes are, it stays within their length."""
    try:
        return unpackb(data, strict_map_key=False, max_array_len=len(data), max_map_len=len(data))
    except Exception:  # noqa: BLE001 - msgpack raises a dozen types on torn bytes
        return None


def texts_of(said: Any) -> dict[str, str]:
    """Keep of a map what is text to text."""
    if not isinstance(said, dict):
        return NO_LABELS
    return {key: value for key, value in said.items() if type(key) is str and type(value) is str}


def _is_time(value: Any) -> bool:
    return type(value) is int and -_INT64 <= value < _INT64


def _is_text(value: Any) -> bool:
    return type(value) is str


def _are_labels(value: Any) -> bool:
    return isinstance(value, dict) and len(texts_of(value)) == len(value)


def _is_flag(value: Any) -> bool:
    return type(value) is bool


_FIT = {
    "Time": _is_time,
    "Whole": _is_time,
    "Flag": _is_flag,
    "Labels": _are_labels,
} | dict.fromkeys(("Key", "Word", "Text"), _is_text)
