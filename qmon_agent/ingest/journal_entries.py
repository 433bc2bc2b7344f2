"""Entries of systemd's journal, as `journalctl -o json` writes them, as logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qmon_agent.ingest.log_lines import Origin, groups_of, signals_of
from qmon_agent.ingest.loose import decoded, identity, name, whole
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Error, Log, Signal

Entry = Mapping[str, Any]

_LEVELS = ("fatal", "fatal", "fatal", "error", "warn", "info", "info", "debug")
_MICRO = 1_000
_LATEST_MICROS = 1 << 53
_MOST_BYTES = 64 * 1024
_ATTRIBUTES = {
    "_SYSTEMD_UNIT": "systemd.unit",
    "SYSLOG_IDENTIFIER": "syslog.identifier",
    "_PID": "process.pid",
    "_EXE": "process.executable.path",
    "CODE_FILE": "code.file.path",
    "CODE_LINE": "code.line.number",
    "CODE_FUNC": "code.function.name",
    "_TRANSPORT": "journald.transport",
}


def read_entry(line: bytes) -> Entry | None:
    """One line of output; nothing if it is no entry."""
    try:
        found = decoded(line)
    except WireError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("__CURSOR"), str) else None


def resource_of(entry: Entry) -> Resource:
    """Who speaks: the unit, or what calls itself so."""
    unit = name(entry.get("_SYSTEMD_UNIT") or entry.get("UNIT"))
    service = unit.removesuffix(".service") or name(entry.get("SYSLOG_IDENTIFIER")) or "journald"
    return Resource(service=service, host=name(entry.get("_HOSTNAME")), sdk="journald")


def signals_of_entry(entry: Entry, error_id: str) -> list[Signal]:
    """A log, and an error besides if there is a traceback in it."""
    time = min(max(0, whole(entry.get("__REALTIME_TIMESTAMP"))), _LATEST_MICROS) * _MICRO
    message = _message(entry.get("MESSAGE"))
    origin = Origin(path="", name=error_id, now=time)
    attributes = {told: name(entry[field]) for field, told in _ATTRIBUTES.items() if field in entry}
    found = signals_of(message.split(b"\n"), origin)
    return [_placed(one, entry, attributes) for one in found]


def told_together(entries: Sequence[Entry]) -> Iterator[tuple[int, Entry]]:
    """Each message and the place of its entry; lines of an output that go on are one message.

    The journal has an entry for each line that a program prints, and a traceback is many.
    """
    outputs: dict[object, list[int]] = {}
    for place, entry in enumerate(entries):
        is_line = entry.get("_TRANSPORT") == "stdout"
        speaker = (name(entry.get("_STREAM_ID")), name(entry.get("_PID"))) if is_line else place
        outputs.setdefault((speaker, *_who(entry)), []).append(place)
    joined = []
    for places in outputs.values():
        lines = [_message(entries[place].get("MESSAGE")) for place in places]
        for start, end in groups_of(lines):
            first = entries[places[start]]
            if end - start > 1:
                text = b"\n".join(lines[start:end]).decode("utf-8", "replace")
                first = {**first, "MESSAGE": text}
            joined.append((places[start], first))
    yield from sorted(joined, key=lambda one: one[0])


def _who(entry: Entry) -> tuple[str, str]:
    who = resource_of(entry)
    return who.service, who.host


def _placed(signal: Signal, entry: Entry, attributes: dict[str, str]) -> Signal:
    """With what the journal knows of it; what the message says of itself goes first."""
    if not isinstance(signal, Log | Error):
        return signal
    said = {key: value for key, value in signal.attributes.items() if value}
    trace_id = signal.trace_id or identity(entry.get("TRACE_ID"))
    placed = signal.replace(attributes={**attributes, **said}, trace_id=trace_id)
    if isinstance(placed, Log) and placed.level == "info":
        return placed.replace(level=_level_of(entry.get("PRIORITY")))
    return placed


def _level_of(priority: Any) -> str:
    number = whole(priority) if priority is not None else 6
    return _LEVELS[number] if 0 <= number < len(_LEVELS) else "info"


def _message(told: Any) -> bytes:
    """A text; a list of bytes where it is none; a list of texts where a field came twice."""
    if isinstance(told, str):
        return told.encode("utf-8", "replace")[:_MOST_BYTES]
    if isinstance(told, list):
        if all(isinstance(one, int) and 0 <= one < 256 for one in told):  # noqa: PLR2004 - a byte
            return bytes(told[:_MOST_BYTES])
        return b"\n".join(_message(one) for one in told if isinstance(one, str))[:_MOST_BYTES]
    return b""
