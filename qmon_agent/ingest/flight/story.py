"""What is stored of a process that died: frames under its own name, the same however often made.

Their sequences go on where the process stopped, so the journal knows them again when an agent that
was killed in the middle is followed by another. What rests on evidence, which may look different
the second time, is all in the last frame.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.errors import OversizeError
from qmon_sdk.protocol.flight import FLYING
from qmon_sdk.protocol.flight_reader import Flight, OpenSpan
from qmon_sdk.protocol.frames import Frame, Ledger, encode_frame
from qmon_sdk.protocol.signals import Error, Event, Log, Session, Signal, Span, kind_of

from .faults import Fault
from .inflight import about, chain_of, innermost
from .stack import culprit_of, frames_of_fault, frames_of_spans, key_of, name_of, stack_json
from .verdict import Cause

_ROWS = 2_000
_TOLD_SPANS = 64
_CRUMBS_BYTES = 64 << 10
_LAST_SEQUENCE = (1 << 64) - 1
_LONGEST_NS = (1 << 63) - 1


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """That a process ended, when, of what, and what it wrote in its last moment."""

    time: int
    cause: Cause
    fault: Fault | None = None


def last_sign_of(flight: Flight, *, now: int) -> int:
    """When the process is last known to have lived; 0 if it never said."""
    signs = (
        *(sample.time for sample in flight.samples),
        *(span.time + span.duration_ns for span in flight.spans),
        *(open_span.span.time for open_span in flight.open_spans),
        *(signal.time for signal in flight.kept if isinstance(signal, (Log, Event, Error))),
    )
    return max((sign for sign in signs if sign <= now), default=0)


def frames_of(flight: Flight, death: Death | None) -> Iterator[bytes]:
    """Every frame that is to be stored, in order: those that were held, then what is told here."""
    yield from (frame for _, frame in flight.frames)
    sequence = max([flight.sequence, *(held for held, _ in flight.frames)])
    opened = [_ended(each, death) for each in flight.open_spans] if death is not None else []
    for signals in (flight.spans, flight.kept, opened):
        for part in _parts(flight, signals):
            sequence += 1
            yield _frame(flight, part, sequence=sequence)
    if flight.state == FLYING or flight.spans or flight.kept:
        told = signals_of(flight, death) if death is not None else []
        ledger = _ledger(flight.ledger, [*opened, *told])
        yield _frame(flight, told, sequence=sequence + 1, ledger=ledger)


def signals_of(flight: Flight, death: Death) -> list[Signal]:
    """The sessions and the error; of an end that cut nothing off, nothing."""
    cause = death.cause
    if not cause.is_crash and not flight.open_spans and not flight.sessions:
        return []
    sessions = _sessions(flight, death)
    return [*sessions, error_of(flight, death)] if cause.level != "info" else [*sessions]


def error_of(flight: Flight, death: Death) -> Error:
    """The one error that names the cause, with all that is known about the last moment."""
    cause, fault = death.cause, death.fault
    leaf = innermost(flight.open_spans, fault.thread if fault else 0)
    chain = chain_of(leaf, flight.open_spans)
    frames = frames_of_fault(fault, chain) if fault and fault.frames else frames_of_spans(chain)
    span = leaf.span if leaf is not None else Span()
    session = flight.sessions[-1] if flight.sessions else None
    culprit = culprit_of(fault, chain)
    return Error(
        time=death.time,
        error_id=key_of(flight.process.hex(), "death"),
        type=cause.type,
        message=cause.message,
        culprit=culprit,
        level=cause.level,
        handled=False,
        trace_id=span.trace_id,
        span_id=span.span_id,
        user_id=span.user_id or (session.user_id if session else ""),
        session_id=span.session_id or (session.session_id if session else ""),
        stack=stack_json(cause.type, cause.message, frames),
        grouping=key_of(cause.type, name_of(leaf) if leaf is not None else culprit),
        attributes=_attributes(flight, death, chain),
    )


def _attributes(flight: Flight, death: Death, chain: Sequence[OpenSpan]) -> dict[str, str]:
    cause = death.cause
    said = {
        "death.cause": cause.message,
        "death.signal": cause.signal,
        "death.exit_code": "" if cause.code is None else str(cause.code),
        "death.evidence": "; ".join(cause.evidence),
        "death.open_spans": _json([_told(each, death) for each in _most_telling(flight, chain)]),
        "breadcrumbs": _breadcrumbs(flight.breadcrumbs),
        "process.pid": str(flight.pid),
    }
    if samples := flight.samples:
        said["death.memory"] = _json([[sample.time, sample.rss] for sample in samples])
        said["death.cpu"] = _json([[sample.time, sample.cpu_ns] for sample in samples])
        said["process.memory.rss"] = str(samples[-1].rss)
        said["process.thread.count"] = str(samples[-1].threads)
    if chain:
        said["thread.id"] = str(chain[-1].thread)
    # The request is what the outermost span that says anything is about.
    said |= next((found for each in chain if (found := about(each))), {})
    return {key: text for key, text in said.items() if text}


def _most_telling(flight: Flight, chain: Sequence[OpenSpan]) -> list[OpenSpan]:
    """The spans of the chain, then the youngest of the others."""
    met = {each.span.span_id for each in chain}
    others = [each for each in flight.open_spans if each.span.span_id not in met]
    others.sort(key=lambda each: -each.span.time)
    return [*chain[-_TOLD_SPANS:], *others][:_TOLD_SPANS]


def _told(open_span: OpenSpan, death: Death) -> dict[str, Any]:
    span = open_span.span
    return {
        "name": span.name,
        "kind": span.kind,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "thread": open_span.thread,
        "open_ms": _since(span.time, death) // 1_000_000,
        "text": open_span.text,
    }


def _breadcrumbs(crumbs: Sequence[str]) -> str:
    """A list of JSON objects, as errors have it: the youngest that fit, and none that is torn."""
    kept: list[str] = []
    size = 0
    for crumb in reversed(crumbs):
        size += len(crumb)
        if size > _CRUMBS_BYTES:
            break
        try:
            is_whole = isinstance(msgspec.json.decode(crumb), dict)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue
        if is_whole:
            kept.append(crumb)
    return f"[{','.join(reversed(kept))}]" if kept else ""


def _ended(open_span: OpenSpan, death: Death) -> Span:
    span = open_span.span
    said = {"qmon.open": "true", "thread.id": str(open_span.thread), **about(open_span)}
    return span.replace(
        duration_ns=_since(span.time, death),
        status="error" if death.cause.level != "info" else "unset",
        attributes={**span.attributes, **said},
    )


def _sessions(flight: Flight, death: Death) -> list[Session]:
    cause = death.cause
    opened = [
        (each.session_id, each.user_id, each.mode, each.started, each.errors)
        for each in flight.sessions
    ]
    cut_off = cause.is_crash or (flight.open_spans and cause.level != "info")
    if not opened and cut_off:  # every crash, and every end in the middle of work, is a session's
        started = flight.resource.started or death.time
        opened = [(key_of(flight.process.hex(), "session"), "", "process", started, 0)]
    return [
        Session(
            time=death.time,
            session_id=session_id,
            user_id=user_id,
            status=cause.session,
            started=started,
            duration_ns=_since(started, death),
            errors=errors + (cause.level != "info"),
            attributes={"mode": mode},
        )
        for session_id, user_id, mode, started, errors in opened
    ]


def _ledger(ledger: Ledger, more: Sequence[Signal]) -> Ledger:
    """The process's books to its end, with what is told about that."""
    captured = dict(ledger.captured)
    for signal in more:
        kind = kind_of(signal)
        captured[kind] = captured.get(kind, 0) + 1
    return ledger.replace(captured=captured)


def _parts(flight: Flight, signals: Sequence[Signal]) -> Iterator[Sequence[Signal]]:
    """Parts that fit into a frame: by their number, and halved where they are very large."""
    for start in range(0, len(signals), _ROWS):
        yield from _fitting(flight, signals[start : start + _ROWS])


def _fitting(flight: Flight, part: Sequence[Signal]) -> Iterator[Sequence[Signal]]:
    try:
        _frame(flight, part, sequence=0)
    except OversizeError:
        if len(part) > 1:
            half = len(part) // 2
            yield from _fitting(flight, part[:half])
            yield from _fitting(flight, part[half:])
        return
    yield part


def _frame(
    flight: Flight, signals: Sequence[Signal], *, sequence: int, ledger: Ledger | None = None
) -> bytes:
    return encode_frame(
        Frame(
            process=flight.process,
            sequence=min(sequence, _LAST_SEQUENCE),
            sent=time.time_ns(),
            resource=flight.resource,
            blocks=blocks_of(signals),
            ledger=ledger,
        )
    )


def _since(start: int, death: Death) -> int:
    return min(max(0, death.time - start), _LONGEST_NS)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode() if value else ""
