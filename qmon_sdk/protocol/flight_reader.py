"""Reading a flight ring: whatever its process was doing when it died, and never more than is whole.

Nothing in a ring is trusted: it may be torn, stale, or made by somebody who means harm. What does
not make sense is left out, and reading raises nothing but `FrameError`, for bytes that are no ring.
"""

from __future__ import annotations

from . import flight
from .errors import FrameError
from .flight import LENGTH, OPEN, PERSON, ROW, SAMPLE, SESSION, WORD
from .flight_rings import crumbs_in, held_in, kept_in, notes_in, texts_of, unpacked
from .frames import Ledger, Resource
from .records import Record
from .signals import SIGNALS, Signal, Span, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_KEPT_CRUMBS = 100
_LAST_TIME = (1 << 63) - 1
_NOBODY = 0, 0, 0
_UNKNOWN: tuple[str, str, dict[str, str]] = ("(unknown)", "internal", {})


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


class FlightHead(Record):
    """Whose ring it is, and whether there is anything in it."""

    state: int = flight.MAKING
    process: bytes = b""
    pid: int = 0
    started: int = 0
    pid_namespace: int = 0


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
    kept: tuple[Signal, ...] = ()
    open_spans: tuple[OpenSpan, ...] = ()
    sessions: tuple[OpenSession, ...] = ()
    breadcrumbs: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()


def read_head(data: bytes) -> FlightHead:
    """Read the first bytes of a ring alone; raises `FrameError` if they are those of none."""
    if len(data) < flight.PID_NAMESPACE + 8 or data[: len(flight.MAGIC)] != flight.MAGIC:
        raise FrameError(f"{len(data)} bytes do not begin as a flight ring of a known version")
    state, pid, started, namespace = (
        WORD.unpack_from(data, at)[0]
        for at in (flight.STATE, flight.PID, flight.STARTED, flight.PID_NAMESPACE)
    )
    process = data[flight.PROCESS : flight.PROCESS + 16]
    return FlightHead(
        state=state, process=process, pid=pid, started=started, pid_namespace=namespace
    )


def read_flight(data: bytes) -> Flight:
    """Read a ring from a copy of its bytes; raises `FrameError` if they are none."""
    head = read_head(data)
    if len(data) < flight.SIZE:
        raise FrameError(f"a flight ring of {len(data)} bytes; it has {flight.SIZE}")
    return _Reader(data, head).flight()


class _Reader:
    """One ring, with the tables that its rows refer to."""

    def __init__(self, data: bytes, head: FlightHead) -> None:
        self._data = data
        self._head = head
        self._clock = _signed(self._word(flight.CLOCK))
        self._names = dict(self._sites())
        self._frames = held_in(data, head.process)
        self._told = frozenset[int]().union(*(held.spans for held in self._frames))
        self._notes = notes_in(data)
        self._extras = {
            note.position: note.payload for note in self._notes if note.kind == flight.EXTRA
        }
        self._taken: set[int] = set()
        self._ended = [row for row in self._rows() if row[8]]
        self._traces: dict[int, tuple[int, int, int]] = {}

    def flight(self) -> Flight:
        spans = tuple(self._spans())
        told = max([self._word(flight.LOGGED), *(held.logged for held in self._frames)])
        kept = tuple(kept_in(self._notes, told))
        return Flight(
            **self._head.as_dict(),
            sequence=self._word(flight.SEQUENCE),
            resource=self._resource(),
            ledger=self._ledger(spans=len(spans), kept=kept),
            frames=tuple((held.sequence, held.frame) for held in self._frames),
            spans=spans,
            kept=kept,
            open_spans=tuple(self._open_spans()),
            sessions=tuple(self._sessions()),
            breadcrumbs=tuple(crumbs_in(self._notes)[-_KEPT_CRUMBS:]),
            samples=tuple(sorted(self._samples(), key=lambda sample: sample.time)),
        )

    def _word(self, at: int) -> int:
        (value,) = WORD.unpack_from(self._data, at)
        return int(value)

    # --- head ---------------------------------------------------------------------------------

    def _resource(self) -> Resource:
        said = self._blob(flight.RESOURCE_AT, flight.RESOURCE_BYTES)
        known = Resource.FIELDS
        if not isinstance(said, list) or len(said) != len(known):
            return Resource()
        resource = Resource(**{field.name: value for field, value in zip(known, said, strict=True)})
        if not all(type(text) is str for text in (*resource[:4], resource.sdk)):
            return Resource()
        numbers = (resource.pid, resource.started)
        if not all(type(n) is int and 0 <= n <= _LAST_TIME for n in numbers):
            return Resource()
        return resource.replace(attributes=texts_of(resource.attributes))

    def _ledger(self, *, spans: int, kept: tuple[Signal, ...]) -> Ledger:
        """Count what was captured to the end: what the frames told, and what is in none of them."""
        captured = {
            kind: min(self._word(flight.CAPTURED + 8 * place), _LAST_TIME)
            for place, kind in enumerate(SIGNALS)
        }
        captured["span"] += spans
        for signal in kept:
            captured[kind_of(signal)] += 1
        said = self._blob(flight.LEDGER_AT, flight.LEDGER_BYTES)
        dropped = said if isinstance(said, dict) else {}
        return Ledger(
            captured={kind: n for kind, n in captured.items() if n},
            dropped={
                k: n
                for k, n in dropped.items()
                if type(k) is str and type(n) is int and 0 < n < _LAST_TIME
            },
        )

    def _samples(self) -> Iterator[Sample]:
        for place in range(flight.SAMPLES):
            sample = SAMPLE.unpack_from(self._data, flight.SAMPLES_AT + place * SAMPLE.size)
            if sample[0] > 0:
                yield Sample(time=sample[0], rss=sample[1], cpu_ns=sample[2], threads=sample[3])

    def _blob(self, at: int, most: int) -> Any:
        (length,) = LENGTH.unpack_from(self._data, at)
        return unpacked(self._data[at + 4 : at + 4 + length]) if 0 < length <= most - 4 else None

    # --- tables -------------------------------------------------------------------------------

    def _sites(self) -> Iterator[tuple[int, tuple[str, str, dict[str, str]]]]:
        at, end = flight.NAMES_AT, flight.NAMES_AT + flight.NAMES_BYTES
        while at + 4 < end:
            (length,) = LENGTH.unpack_from(self._data, at)
            if not 0 < length <= end - at - 4:
                return
            match unpacked(self._data[at + 4 : at + 4 + length]):
                case [int(number), str(name), str(kind), dict(attributes)]:
                    yield number, (name, kind, texts_of(attributes))
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
                started=max(started, 0),
                errors=min(errors, _LAST_TIME),
            )

    # --- spans --------------------------------------------------------------------------------

    def _spans(self) -> Iterator[Span]:
        """Read the finished spans that are in no frame, in the order of their start."""
        rows = sorted(row for row in self._ended if row[8] not in self._told)
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
            for place in range(flight.ROWS):
                row = ROW.unpack_from(self._data, at + flight.CHUNK_HEAD + place * flight.ROW_BYTES)
                if place < taken:
                    self._taken.add(row[8])  # in a frame, whether or not its mark is gone
                else:
                    yield row

    def _open_spans(self) -> Iterator[OpenSpan]:
        ended = self._told.union(self._taken, (row[8] for row in self._ended))
        places = list(enumerate(self._slots()))
        slots = {slot[7]: slot for _, slot in places}
        for place, slot in places:
            high, low, who, what, parent, thread, start, span = slot
            if not place or not span or span in ended:
                continue
            if what & flight.INHERITS:
                high, low, who = self._trace_of(slot, slots)
            made = self._span(
                (high, low, who, what, parent, start, span),
                duration_ns=0,
                status="unset",
                attributes={},
            )
            yield OpenSpan(span=made, thread=thread, text=self._text_of(place, what))

    def _trace_of(
        self, slot: tuple[int, ...], slots: dict[int, tuple[int, ...]]
    ) -> tuple[int, int, int]:
        """Find the trace and the user of an open span with those it is inside of."""
        way: list[int] = []
        found = _NOBODY
        while slot[7] not in self._traces:
            self._traces[slot[7]] = _NOBODY  # so that a circle ends
            way.append(slot[7])
            if not slot[3] & flight.INHERITS:
                found = slot[0], slot[1], slot[2]
                break
            if (above := slots.get(slot[4])) is None:
                break
            slot = above
        else:
            found = self._traces[slot[7]]
        self._traces.update(dict.fromkeys(way, found))
        return found

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
        name, kind, attributes = self._names.get(what & flight.SITE_MASK, _UNKNOWN)
        user, session = self._who(who)
        more["attributes"] = {**attributes, **more["attributes"]}
        return Span(
            time=max(min(self._clock + start, _LAST_TIME), 0),
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
        return texts_of(unpacked(self._extras.get(position, b""))) if position else {}


def _told_apart(attributes: dict[str, str]) -> dict[str, Any]:
    """Take out of a span's attributes what has fields of its own."""
    events, links = attributes.pop(flight.EVENTS, ""), attributes.pop(flight.LINKS, "")
    return {"attributes": attributes, "events": events, "links": links}


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("utf-8", "replace")


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word
