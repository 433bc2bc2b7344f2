"""Reading a flight ring: whatever its process was doing when it died, and never more than is whole.

Nothing in a ring is trusted: it may be torn, stale, or made by somebody who means harm. What does
not make sense is left out, and reading raises nothing but `FrameError`, for bytes that are no ring.
"""

from __future__ import annotations

from msgpack import unpackb

from . import flight
from .columns import rows_of
from .errors import FrameError, WireError
from .flight import HELD, LENGTH, NOTE, OPEN, PERSON, ROW, SAMPLE, SESSION, WORD
from .frames import Ledger, Resource, decode_frame, split_messages
from .records import Record
from .signals import FIELDS, SIGNALS, Log, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_KEPT_CRUMBS = 100
_KINDS = ("internal", "server", "client", "producer", "consumer")


class OpenSpan(Record):
    """A span that had not ended: the span as far as it got, its thread, and what it was about."""

    span: Span = Span()
    thread: int = 0
    text: str = ""


class OpenSession(Record):
    """A session that had not ended."""

    session_id: str = ""
    user_id: str = ""
    mode: str = ""
    started: int = 0
    errors: int = 0


class Sample(Record):
    """What the process weighed at a time: bytes resident, CPU nanoseconds used, threads."""

    time: int = 0
    rss: int = 0
    cpu_ns: int = 0
    threads: int = 0


class Flight(Record):
    """All that a ring holds. `frames` are whole frames by sequence, oldest first."""

    process: bytes = b""
    state: int = flight.MAKING
    pid: int = 0
    started: int = 0
    pid_namespace: int = 0
    sequence: int = 0
    resource: Resource = Resource()
    ledger: Ledger = Ledger()
    frames: tuple[tuple[int, bytes], ...] = ()
    spans: tuple[Span, ...] = ()
    logs: tuple[Log, ...] = ()
    open_spans: tuple[OpenSpan, ...] = ()
    sessions: tuple[OpenSession, ...] = ()
    breadcrumbs: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()


def read_flight(data: bytes) -> Flight:
    """Read a ring from a copy of its bytes; raises `FrameError` if they are none."""
    if len(data) < flight.SIZE or data[: len(flight.MAGIC)] != flight.MAGIC:
        raise FrameError(f"{len(data)} bytes are no flight ring of a version known here")
    return _Reader(data).flight()


class _Reader:
    """One ring, with the tables that its rows refer to."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._clock = _signed(self._word(flight.CLOCK))
        self._names = dict(self._sites())
        self._frames = sorted(self._held())
        self._told = _span_ids(frame for _, _, frame in self._frames)
        self._notes = sorted(self._found_notes())
        self._extras = {at: payload for at, kind, payload in self._notes if kind == flight.EXTRA}

    def flight(self) -> Flight:
        spans = tuple(self._spans())
        logs = tuple(self._logs())
        return Flight(
            process=self._data[flight.PROCESS : flight.PROCESS + 16],
            state=self._word(flight.STATE),
            pid=self._word(flight.PID),
            started=self._word(flight.STARTED),
            pid_namespace=self._word(flight.PID_NAMESPACE),
            sequence=self._word(flight.SEQUENCE),
            resource=self._resource(),
            ledger=self._ledger(spans=len(spans), logs=len(logs)),
            frames=tuple((sequence, frame) for sequence, _, frame in self._frames),
            spans=spans,
            logs=logs,
            open_spans=tuple(self._open_spans()),
            sessions=tuple(self._sessions()),
            breadcrumbs=tuple(self._breadcrumbs()),
            samples=tuple(sorted(self._samples(), key=lambda sample: sample.time)),
        )

    def _word(self, at: int) -> int:
        (value,) = WORD.unpack_from(self._data, at)
        return int(value)

    # --- head ---------------------------------------------------------------------------------

    def _resource(self) -> Resource:
        said = self._blob(flight.RESOURCE_AT, flight.RESOURCE_BYTES)
        if not isinstance(said, list) or not said:
            return Resource()
        known = [field.name for field in Resource.FIELDS]
        resource = Resource(**dict(zip(known, said, strict=False)))
        if not isinstance(said[-1], dict) or len(said) != len(known):
            return Resource()
        texts = (*resource[:4], resource.sdk, *said[-1], *said[-1].values())
        are_texts = all(isinstance(text, str) for text in texts)
        return resource if are_texts and {type(n) for n in said[4:6]} == {int} else Resource()

    def _ledger(self, *, spans: int, logs: int) -> Ledger:
        """Count what was captured to the end: what the frames told, and what is in none of them."""
        captured = {
            kind: self._word(flight.CAPTURED + 8 * place) for place, kind in enumerate(SIGNALS)
        }
        captured["span"] += spans
        captured["log"] += logs
        said = self._blob(flight.LEDGER_AT, flight.LEDGER_BYTES)
        dropped = said if isinstance(said, dict) else {}
        return Ledger(
            captured={kind: n for kind, n in captured.items() if n},
            dropped={k: n for k, n in dropped.items() if type(k) is str and type(n) is int},
        )

    def _samples(self) -> Iterator[Sample]:
        for place in range(flight.SAMPLES):
            sample = SAMPLE.unpack_from(self._data, flight.SAMPLES_AT + place * SAMPLE.size)
            if sample[0] > 0:
                yield Sample(time=sample[0], rss=sample[1], cpu_ns=sample[2], threads=sample[3])

    def _blob(self, at: int, most: int) -> Any:
        (length,) = LENGTH.unpack_from(self._data, at)
        return _unpacked(self._data[at + 4 : at + 4 + length]) if 0 < length < most else None

    # --- tables -------------------------------------------------------------------------------

    def _sites(self) -> Iterator[tuple[int, tuple[str, str, dict[str, str]]]]:
        at, end = flight.NAMES_AT, flight.NAMES_AT + flight.NAMES_BYTES
        while at + 4 < end:
            (length,) = LENGTH.unpack_from(self._data, at)
            if not 0 < length <= end - at - 4:
                return
            said = _unpacked(self._data[at + 4 : at + 4 + length])
            match said:
                case [int(number), str(name), str(kind), dict(attributes)]:
                    yield number, (name, kind, _texts(attributes))
            at += 4 + length

    def _who(self, number: int) -> tuple[str, str]:
        """Say who a number stands for: nobody, if others have come since."""
        if not number:
            return "", ""
        at = flight.PEOPLE_AT + number % flight.PEOPLE * flight.PERSON_BYTES
        said, user, session, text = PERSON.unpack_from(self._data, at)
        if said != number:
            return "", ""
        return _text(text[:user]), _text(text[user : user + session])

    def _sessions(self) -> Iterator[OpenSession]:
        for place in range(flight.SESSIONS):
            at = flight.SESSIONS_AT + place * flight.SESSION_BYTES
            if self._word(at) != 1:
                continue
            started, errors, identity, mode, user = SESSION.unpack_from(self._data, at + 8)
            yield OpenSession(
                session_id=_text(identity),
                user_id=_text(user),
                mode=_text(mode),
                started=started,
                errors=errors,
            )

    # --- spans --------------------------------------------------------------------------------

    def _spans(self) -> Iterator[Span]:
        """Read the finished spans that are in no frame, in the order of their start."""
        rows = sorted(row for row in self._rows() if row[8] and row[8] not in self._told)
        for start, took, high, low, parent, what, who, extra, span in rows:
            status = what >> flight.STATUS_SHIFT & 0xFF
            yield self._span(
                (high, low, who, what, parent, start, span),
                duration_ns=max(took, 0),
                status=flight.STATUSES[status] if status < len(flight.STATUSES) else "unset",
                **_told_apart(self._attributes(extra)),
            )

    def _rows(self) -> Iterator[tuple[int, ...]]:
        for chunk in range(1, flight.CHUNKS):
            at = flight.CHUNKS_AT + chunk * flight.CHUNK_BYTES
            taken = self._word(at + flight.CHUNK_TAKEN)
            for place in range(min(taken, flight.ROWS), flight.ROWS):
                yield ROW.unpack_from(self._data, at + flight.CHUNK_HEAD + place * flight.ROW_BYTES)

    def _open_spans(self) -> Iterator[OpenSpan]:
        slots = {slot[7]: slot for slot in self._slots()}
        ended = self._told.union(row[8] for row in self._rows())
        for at, slot in enumerate(self._slots()):
            high, low, who, what, parent, thread, start, span = slot
            if not at or span in ended or not span:
                continue
            if what & flight.INHERITS:
                high, low, who = _trace_of(slot, slots)
            made = self._span(
                (high, low, who, what, parent, start, span),
                duration_ns=0,
                status="unset",
                attributes={},
            )
            yield OpenSpan(span=made, thread=thread, text=self._text_of(at, what))

    def _slots(self) -> Iterator[tuple[int, ...]]:
        for place in range(flight.OPENS):
            yield OPEN.unpack_from(self._data, flight.OPENS_AT + place * flight.OPEN_BYTES)

    def _text_of(self, slot: int, what: int) -> str:
        if not what & flight.HAS_TEXT:
            return ""
        at = flight.OPENS_AT + slot * flight.OPEN_BYTES + flight.OPEN_TEXT
        return _text(self._data[at : at + flight.OPEN_TEXT_BYTES])

    def _span(self, facts: tuple[int, ...], **more: Any) -> Span:
        high, low, who, what, parent, start, span = facts
        unknown: tuple[str, str, dict[str, str]] = ("(unknown)", "internal", {})
        name, kind, attributes = self._names.get(what & flight.SITE_MASK, unknown)
        user, session = self._who(who)
        more["attributes"] = {**attributes, **more["attributes"]}
        return Span(
            time=self._clock + start,
            trace_id=f"{high:016x}{low:016x}",
            span_id=f"{span:016x}",
            parent_id=f"{parent:016x}" if parent else "",
            name=name,
            kind=kind,
            user_id=user,
            session_id=session,
            **more,
        )

    def _attributes(self, position: int) -> dict[str, str]:
        said = _unpacked(self._extras.get(position, b"\x80")) if position else {}
        return _texts(said) if isinstance(said, dict) else {}

    # --- byte rings ---------------------------------------------------------------------------

    def _found_notes(self) -> Iterator[tuple[int, int, bytes]]:
        """Find the notes that are whole: position, kind, bytes."""
        end = self._word(flight.NOTED)
        for offset in range(0, flight.NOTES_BYTES - NOTE.size + 1, 8):
            position, length, kind, _ = NOTE.unpack_from(self._data, flight.NOTES_AT + offset)
            is_here = position % flight.NOTES_BYTES == offset
            is_young = end - flight.NOTES_BYTES <= position < end and position
            if is_here and is_young and length <= flight.NOTES_BYTES - offset - NOTE.size:
                at = flight.NOTES_AT + offset + NOTE.size
                yield position, kind, self._data[at : at + length]

    def _logs(self) -> Iterator[Log]:
        """Read the logs that no frame has."""
        told = max([self._word(flight.LOGGED), *(logged for _, logged, _ in self._frames)])
        for position, kind, payload in self._notes:
            if kind == flight.LOG and position >= told:
                fields = _unpacked(payload)
                if isinstance(fields, list) and len(fields) == len(FIELDS["log"]):
                    yield tuple.__new__(Log, fields)  # type: ignore[type-var]

    def _breadcrumbs(self) -> list[str]:
        crumbs = [_text(payload) for _, kind, payload in self._notes if kind == flight.CRUMB]
        return crumbs[-_KEPT_CRUMBS:]

    def _held(self) -> Iterator[tuple[int, int, bytes]]:
        """Walk the unacknowledged messages: sequence, `LOGGED`, the frame."""
        at, end = self._word(flight.FRAMES_TAIL), self._word(flight.FRAMES_HEAD)
        turns = 0
        while at != end and at < flight.FRAMES_BYTES and turns <= 1:
            if at > flight.FRAMES_BYTES - HELD.size:  # too near the end even to say so
                at, turns = 0, turns + 1
                continue
            here = flight.FRAMES_AT + at
            length, sequence, logged, live = HELD.unpack_from(self._data, here)
            if length == flight.WRAP:
                at, turns = 0, turns + 1
                continue
            after = at + HELD.size + (length + 7 & ~7)
            if not length or after > flight.FRAMES_BYTES:
                return
            message = self._data[here + HELD.size : here + HELD.size + length]
            if live == 1 and (frame := _frame_in(message)):
                yield sequence, logged, frame
            at = after % flight.FRAMES_BYTES
            turns += at == 0


def _trace_of(slot: tuple[int, ...], slots: dict[int, tuple[int, ...]]) -> tuple[int, int, int]:
    """Find the trace and the user of an open span with those it is inside of."""
    for _ in range(len(slots)):
        if not slot[3] & flight.INHERITS:
            return slot[0], slot[1], slot[2]
        above = slots.get(slot[4])
        if above is None:
            break
        slot = above
    return 0, 0, 0


def _span_ids(frames: Iterator[bytes]) -> set[int]:
    """Collect the spans that are in frames: a kill may fall before their rows are given up."""
    found: set[int] = set()
    for frame in frames:
        for block in decode_frame(frame).blocks:
            if block.kind == "span":
                found.update(int(row.span_id or "0", 16) for row in rows_of(block))  # type: ignore[attr-defined]
    return found


def _frame_in(message: bytes) -> bytes:
    """Return the one frame of a message, or nothing if that is not what it is."""
    try:
        (frame,) = split_messages(message)
        for block in decode_frame(frame).blocks:
            if block.kind == "span":
                rows_of(block)
    except (WireError, ValueError):
        return b""
    return frame


def _unpacked(data: bytes) -> Any:
    try:
        return unpackb(data, strict_map_key=False, max_array_len=len(data), max_map_len=len(data))
    except Exception:  # noqa: BLE001 - msgpack raises a dozen types on torn bytes
        return None


def _told_apart(attributes: dict[str, str]) -> dict[str, Any]:
    """Take out of a span's attributes what has fields of its own."""
    events, links = attributes.pop(flight.EVENTS, ""), attributes.pop(flight.LINKS, "")
    return {"attributes": attributes, "events": events, "links": links}


def _texts(said: dict[Any, Any]) -> dict[str, str]:
    return {key: value for key, value in said.items() if type(key) is str and type(value) is str}


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("utf-8", "replace")


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word
