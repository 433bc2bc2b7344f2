"""The words of syslog: a line as RFC 5424 has it, and how lines follow each other (RFC 6587)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Facility = Literal[
    "user", "daemon", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"
]
UDP_BYTES = 8192
_FACILITIES = {"user": 1, "daemon": 3, **{f"local{number}": 16 + number for number in range(8)}}
_SEVERITIES = {
    "fatal": 2, "critical": 2, "error": 3, "warning": 4, "warn": 4, "notice": 5, "info": 6,
    "debug": 7, "trace": 7,
}  # fmt: skip
_QUOTED = str.maketrans({"\\": r"\\", '"': r"\"", "]": r"\]"})
_NOT_IN_NAMES = str.maketrans(dict.fromkeys('="] ', "_"))
# The number that RFC 5612 keeps for what has none of its own.
_ELEMENT = "qmon@32473"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What one line says; the time is RFC 3339 with no more than six digits of a second."""

    facility: str
    level: str
    time: str
    host: str = ""
    program: str = ""
    process: str = ""
    kind: str = ""
    data: Mapping[str, str] = {}
    text: str = ""


def written(line: Line, *, most_bytes: int) -> bytes:
    """The line, cut to so many bytes; its text is one line, whatever was in it."""
    priority = _FACILITIES[line.facility] * 8 + _SEVERITIES.get(line.level, 6)
    head = f"<{priority}>1 {line.time} {word(line.host, 255)} {word(line.program, 48)}"
    data = "".join(f' {name}="{value.translate(_QUOTED)}"' for name, value in line.data.items())
    text = " ".join(line.text.splitlines())
    kind = f"{word(line.process, 128)} {word(line.kind, 32)}"
    whole = f"{head} {kind} [{_ELEMENT}{data}] \ufeff{text}"
    return whole.encode("utf-8", "replace")[:most_bytes]


def framed(line: bytes) -> bytes:
    """Preceded by its length, as streams want it."""
    return b"%d %s" % (len(line), line)


def name_of(text: str) -> str:
    """What may stand before `=` in the structured data."""
    return word(text.translate(_NOT_IN_NAMES), 32)


def word(text: str, most: int) -> str:
    """A field of the head: printable, without spaces, and `-` for none."""
    return "".join(letter for letter in text if "!" <= letter <= "~")[:most] or "-"
