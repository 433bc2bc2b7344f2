"""What is usual for a series at this hour of the week, and how far from it a value is.

For each of the 168 hours of a week (of UTC) the last few weeks are kept: low and high quantile,
median, and the median absolute deviation from it, MAD, which times 1.4826 estimates the standard
deviation of a normal distribution and is not moved by outliers (Hampel, JASA 69, 1974). The hour
that is running is a sketch. Until an hour is known, an exponentially weighted mean and mean
absolute deviation (Roberts, Technometrics 1, 1959) stand in for it; a mean absolute deviation times
1.2533 estimates the standard deviation. Plain JSON throughout.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any, Literal

import msgspec

from qmon_sdk.protocol.buckets import bucket_of, bucket_value, quantile

from .clock import SECOND

HOUR = 3_600 * SECOND
HOURS = 168
WEEKS = 3
"""How many weeks are kept of each hour."""
KNOWN = 2
"""How many of them it takes to know an hour."""
LOW, HIGH = 0.05, 0.95
FEWEST = 3
"""An hour with fewer values tells nothing."""
_BY_MAD, _BY_MEAN = 1.4826, 1.2533
_PACE = 2 / 61
"""The weight of the newest value: about that of one among sixty."""


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """What a value has to be, all of it, to be odd."""

    sensitivity: float = 4.0
    """So many standard deviations from what is usual."""
    min_change: float = 0.0
    min_percent: float = 20.0
    direction: Literal["above", "below", "both"] = "both"


class Usual(msgspec.Struct, frozen=True, kw_only=True):
    """What is expected: a middle, a standard deviation, and the range that was seen."""

    middle: float
    deviation: float
    low: float
    high: float


def learned(memory: Mapping[str, Any], value: float, now: int, *, guard: Guard) -> dict[str, Any]:
    """The memory with one more value; an hour that is over goes to its place in the week."""
    hour = now // HOUR
    if hour > memory.get("hour", hour):
        memory = _turned(memory)
    hour = max(hour, memory.get("hour", hour))
    bucket = str(bucket_of(value))
    sketch = memory.get("sketch", {})
    return {
        **memory,
        **_weighted(memory, value, guard.sensitivity),
        "hour": hour,
        "sketch": {**sketch, bucket: sketch.get(bucket, 0) + 1},
    }


def usual(memory: Mapping[str, Any], now: int) -> Usual | None:
    """What is expected now; nothing before there was anything."""
    weeks = memory.get("weeks", {}).get(str(now // HOUR % HOURS), ())
    if len(weeks) >= KNOWN:
        return _seasonal(weeks)
    if "mean" not in memory:
        return None
    mean = memory["mean"]
    return Usual(middle=mean, deviation=memory["off"] * _BY_MEAN, low=mean, high=mean)


def is_odd(value: float, expected: Usual, guard: Guard) -> bool:
    """Whether a value is as far off, and on the side, as it has to be."""
    if expected.low <= value <= expected.high:
        return False
    off = value - expected.middle
    if guard.direction != "both" and (off > 0) != (guard.direction == "above"):
        return False
    least = max(guard.min_change, guard.min_percent / 100 * abs(expected.middle))
    return abs(off) > max(least, guard.sensitivity * expected.deviation)


def _seasonal(weeks: list[list[float]]) -> Usual:
    lows, middles, highs, mads = zip(*weeks, strict=True)
    middle = median(middles)
    between = median(abs(each - middle) for each in middles)
    deviation = max(median(mads), between) * _BY_MAD
    return Usual(middle=middle, deviation=deviation, low=min(lows), high=max(highs))


def _turned(memory: Mapping[str, Any]) -> dict[str, Any]:
    sketch = {int(index): count for index, count in memory.get("sketch", {}).items()}
    over = {**memory, "sketch": {}}
    del over["hour"]
    if sum(sketch.values()) < FEWEST:
        return over
    middle = quantile(sketch, 0.5)
    row = [quantile(sketch, LOW), middle, quantile(sketch, HIGH), _mad(sketch, middle)]
    place = str(memory["hour"] % HOURS)
    weeks = memory.get("weeks", {})
    rounded = [float(f"{number:.5g}") for number in row]
    return {**over, "weeks": {**weeks, place: [*weeks.get(place, ()), rounded][-WEEKS:]}}


def _mad(sketch: Mapping[int, int], middle: float) -> float:
    """The median of how far the values are from their median."""
    off = sorted((abs(bucket_value(index) - middle), count) for index, count in sketch.items())
    half, passed = sum(sketch.values()) / 2, 0
    for distance, count in off:
        passed += count
        if passed >= half:
            return distance
    return 0.0


def _weighted(memory: Mapping[str, Any], value: float, sensitivity: float) -> dict[str, Any]:
    """Mean and deviation by weight; an outlier moves them only as far as the last usual value."""
    n = memory.get("n", 0) + 1
    if n == 1:
        return {"n": 1, "mean": value, "off": 0.0}
    mean, off = memory["mean"], memory["off"]
    step = value - mean
    if n > 1 / _PACE and off > 0:
        most = sensitivity * off * _BY_MEAN
        step = max(-most, min(most, step))
    pace = max(_PACE, 1 / n)
    return {"n": n, "mean": mean + pace * step, "off": off + pace * (abs(step) - off)}
