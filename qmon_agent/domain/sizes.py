"""Sizes as people write them, `500MB` or `20GiB`, kept as whole bytes."""

from __future__ import annotations

import re
from decimal import Decimal

UNITS = {"": 1, "B": 1} | {
    f"{letter}{ending}": base**power
    for power, letter in enumerate("KMGT", start=1)
    for ending, base in (("B", 1_000), ("iB", 1_024))
}
"""Unit → bytes."""
_BY_CASE = {unit.casefold(): size for unit, size in UNITS.items()}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")


def parse_size(text: str | int) -> int:
    """Bytes of `500MB`, `20 GiB`, or a bare number; raises ValueError."""
    found = _SIZE.fullmatch(str(text).strip())
    size = _BY_CASE.get(found[2].casefold()) if found else None
    if found is None or size is None:
        message = f"{str(text)!r} is not a size (write for example 500MB, 20GiB)"
        raise ValueError(message)
    return int(Decimal(found[1]) * size)


def print_size(size: int) -> str:
    """About so many, for people: `1.5 GiB`."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size >= UNITS[unit]:
            return f"{size / UNITS[unit]:.1f} {unit}"
    return f"{size} B"
