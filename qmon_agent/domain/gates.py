"""What a scan's gate says: lines that measures must not cross, at one commit at a time."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .thresholds import Threshold

Values = Mapping[str, float]


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured so far at the commit that was scanned last."""

    commit: str = ""
    at: int = 0
    values: dict[str, float] = {}


def measured(gate: Gate, told: Gate) -> Gate:
    """The gate after a scan has told more: another commit begins anew, unless it is an older scan.

    What the same commit is told to have again counts as it was scanned last.
    """
    if told.at < gate.at:
        older = told.values if told.commit == gate.commit else {}
        return msgspec.structs.replace(gate, values={**older, **gate.values})
    known = gate.values if told.commit == gate.commit else {}
    return msgspec.structs.replace(told, values={**known, **told.values})


def failing(lines: Mapping[str, Threshold], values: Values) -> list[str]:
    """Measures beyond their line, in the order of the lines."""
    return [
        name for name, line in lines.items() if name in values and line.crossed_by(values[name])
    ]


def missing(lines: Mapping[str, Threshold], values: Values) -> list[str]:
    """Measures with a line and without a value."""
    return [name for name in lines if name not in values]
