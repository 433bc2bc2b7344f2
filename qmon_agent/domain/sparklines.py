"""A small chart as a line of text."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

_BARS = "▁▂▃▄▅▆▇█"
_NOTHING = "·"


def sparkline(values: Sequence[float | None]) -> str:
    """One character for each value, from the lowest to the highest; a dot where there is none."""
    known = [value for value in values if value is not None and isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    # Halved: the difference of the largest and the smallest would be too large.
    span = high / 2 - low / 2
    return "".join(_NOTHING if value is None else _bar(value, low, span) for value in values)


def _bar(value: float, low: float, span: float) -> str:
    if not isfinite(value):
        return _BARS[-1] if value > 0 else _NOTHING
    part = (value / 2 - low / 2) / span if span else 0.0
    return _BARS[min(int(part * len(_BARS)), len(_BARS) - 1)]
