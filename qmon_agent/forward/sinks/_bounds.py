"""The bounds of histograms, where nobody has said any: as fits the unit of what is measured."""

from __future__ import annotations

from collections.abc import Sequence

# A millisecond to a minute, as most things take that somebody waits for.
_SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
_MILLI = (
    1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0,
    1e3, 2.5e3, 5e3, 1e4, 3e4, 6e4,
)  # fmt: skip
_MICRO = tuple(bound * 1e3 for bound in _MILLI)
_NANO = tuple(bound * 1e6 for bound in _MILLI)
_BYTES = tuple(float(4**power) for power in range(3, 16))
_KIBI = tuple(float(4**power) for power in range(11))
_BY_UNIT = {
    "ms": _MILLI, "milliseconds": _MILLI,
    "us": _MICRO, "microseconds": _MICRO,
    "ns": _NANO, "nanoseconds": _NANO,
    "By": _BYTES, "bytes": _BYTES,
    "KiBy": _KIBI, "MiBy": _KIBI,
}  # fmt: skip


def bounds_for(unit: str, said: Sequence[float]) -> Sequence[float]:
    """What was said is for every unit."""
    return said or _BY_UNIT.get(unit, _SECONDS)
