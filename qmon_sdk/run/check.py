"""`qmon-run --check`: what would be watched under which names, and whether an agent answers."""

from __future__ import annotations

import json
import os
import sys
from time import monotonic
from typing import TYPE_CHECKING

from qmon_sdk.detect import detect
from qmon_sdk.locations import default_socket
from qmon_sdk.protocol.records import Record
from qmon_sdk.settings import SOURCES, settle
from qmon_sdk.transports import open_transport

from .target import RefusedError, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qmon_sdk.settings import Settings

WELL, DEGRADED = 0, 1
PATIENCE_S = 2.0
_GUESSED = ("service", "release", "environment")


class Line(Record):
    """One thing that was looked at."""

    name: str = ""
    value: str = ""
    found: str = ""
    ok: bool = True


def check(command: Sequence[str], environ: Mapping[str, str], *, as_json: bool = False) -> int:
    """Print what was found; 1 if the program would not start, or nobody would hear of it."""
    settings, _ = settle({}, command=command or ["python"])
    lines = [
        *_program(command, environ),
        *_facts(command or ["python"], settings),
        _agent(settings),
    ]
    sys.stdout.write(_json(lines) if as_json else _table(lines))
    return WELL if all(line.ok for line in lines) else DEGRADED


def _program(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[Line]:
    if not command:
        yield Line(name="command", found="none given")
        return
    try:
        target = target_of(command, environ)
    except RefusedError as refusal:
        yield Line(name="command", value=" ".join(command), found=str(refusal), ok=False)
        return
    yield Line(name="command", value=" ".join(target.words), found=target.path)
    found = "ours" if target.interpreter else "asked when it starts"
    yield Line(name="python", value=target.interpreter or "unknown", found=found)


def _facts(command: Sequence[str], settings: Settings) -> Iterator[Line]:
    facts = detect(command)
    for name in _GUESSED:
        value = getattr(settings, name)
        guessed = value == getattr(facts, name) and not _variable_of(name)
        found = facts.origins.get(name, "") if guessed else _variable_of(name)
        yield Line(name=name, value=value, found=found or "OTEL_RESOURCE_ATTRIBUTES")
    yield Line(name="host", value=settings.host)
    for key, value in sorted(settings.resource.items()):
        yield Line(name=key, value=value)


def _variable_of(option: str) -> str:
    """Name the variable, or the option that set it, by which somebody has said it."""
    return next((name for name in SOURCES[option] if os.environ.get(name)), "")


def _agent(settings: Settings) -> Line:
    """Connect, as the program will."""
    settings = settings.replace(socket=settings.socket or default_socket())
    place = _without_token(settings.dsn) or f"unix://{settings.socket}"
    transport = open_transport(settings)
    try:
        deadline = monotonic() + PATIENCE_S
        connected = transport.poll().connected
        while not connected and monotonic() < deadline and not transport.trouble:
            transport.wait(0.05)
            connected = transport.poll().connected
        trouble = transport.trouble
    finally:
        transport.close()
    if connected and not trouble:
        return Line(name="agent", value=place, found="answers")
    return Line(name="agent", value=place, found=trouble or "does not answer", ok=False)


def _without_token(dsn: str) -> str:
    scheme, separator, place = dsn.partition("://")
    return f"{scheme}{separator}{place.rpartition('@')[2]}"


def _table(lines: Sequence[Line]) -> str:
    wide = [max(len(line[column]) for line in lines) for column in (0, 1)]
    rows = (
        f"{'  ' if line.ok else '! '}{line.name:{wide[0]}}  {line.value:{wide[1]}}  {line.found}"
        for line in lines
    )
    return "\n".join(row.rstrip() for row in rows) + "\n"


def _json(lines: Sequence[Line]) -> str:
    ok = all(line.ok for line in lines)
    found = [line.as_dict() for line in lines]
    return json.dumps({"version": 1, "ok": ok, "found": found}, indent=2) + "\n"
