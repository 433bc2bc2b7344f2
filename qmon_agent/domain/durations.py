"""Durations as people write them, `1h30m`, kept as whole nanoseconds."""

from __future__ import annotations

import re
from decimal import Decimal

UNITS = {
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
PART = r"\d+(?:\.\d+)?(?:ns|us|ms|d|h|m|s)"
DURATION = rf"(?:{PART})+"
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|d|h|m|s)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?\Z")
_WHOLE = re.compile(rf"(?:{DURATION}|\d+(?:\.\d+)?)\Z")


def parse_duration(text: str | float) -> int:
    """Nanoseconds of `10s`, `1h30m`, or a bare number of seconds; raises ValueError."""
    written = str(text).strip()
    if not written:
        return 0
    if not _WHOLE.match(written):
        message = f"{written!r} is not a duration (write for example 10s, 5m, 1h30m)"
        raise ValueError(message)
    parts = _PART.findall(written) or [(written, "s")]
    return sum(int(Decimal(number) * UNITS[unit]) for number, unit in parts)


def parse_span(text: str) -> int:
    """The same of a text that says its unit; raises ValueError for a bare number, or for nothing.

    Where a person may mean days, seconds must not be taken.
    """
    written = text.strip()
    if not _WHOLE.match(written):
        wrong = f"{written!r} is not a duration" if written else "it is empty"
        message = f"{wrong} (write for example 30m, 2h, 7d)"
        raise ValueError(message)
    if _NUMBER.match(written):
        message = (
            f"{written!r} has no unit (write {written}s, {written}m, {written}h or {written}d)"
        )
        raise ValueError(message)
    return parse_duration(written)


def print_duration(nanos: int) -> str:
    """The shortest text that `parse_duration` reads back to the same number."""
    parts = []
    for unit, size in UNITS.items():
        count, nanos = divmod(nanos, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
