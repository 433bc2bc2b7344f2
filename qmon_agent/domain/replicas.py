"""What each instance of a service says of one series, and what that comes to for all of them.

How long an instance was silent is told by what others say meanwhile, and not by the clock: where
nobody speaks nothing is known, and nobody is gone. So a verdict changes with points only, and is
the same in whatever order the points of several instances come.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

Across = Literal["any", "sum", "avg", "min", "max", "each"]
Row = Sequence[Any]
"""Its newest value, when it was told, and how far apart its points mostly are, in nanoseconds.

The last is below zero where that is guessed still, as too few of them have come.
"""
MOST = 128
"""Of more instances, those that were heard of last count."""
_INTERVALS = 3
_FASTEST = 5
"""An instance is waited for a fifth of the longest silence at least, however often it speaks."""
_PAUSE = 15
"""Where nobody has spoken for long, only a fifteenth of the longest silence is held against all."""


class Word(msgspec.Struct, frozen=True):
    """What one instance says now, and when its process began; 0 where that is not known."""

    replica: str
    value: float
    began: int = 0


def heard(
    known: Mapping[str, Row], word: Word, *, now: int, newest: int, silence: int
) -> dict[str, Row]:
    """Those that count after this one has spoken; `newest`: when any did before.

    One that is missing for three of its intervals is gone, or after `silence` in any case: its
    interval is taken for long until it is known, and then until many in a row have come sooner.
    Until it is known, who has been silent since this process began is gone as well: a program that
    runs, tells and ends is followed by its next run.
    """
    replica, value = word.replica, word.value
    before = known.get(replica)
    if before is None and not known:
        return {replica: (value, now, -(silence // _INTERVALS))}
    waited = max(silence // _PAUSE, before[2] if before else 0)
    skipped = max(0, now - newest - waited)
    gap = -(silence // _INTERVALS)
    if before is not None:
        # A guess is corrected by what was, as nothing was left out by it.
        apart = now - before[1] - (skipped if before[2] >= 0 else 0)
        gap = paced(before[2], min(apart, silence))
    rows: dict[str, Row] = {}
    for name, (said, at, interval) in known.items():
        seen = min(at + skipped, now)
        is_followed = interval < 0 and at < word.began
        if name != replica and not is_followed and now - seen <= lasting(interval, silence):
            rows[name] = (said, seen, interval)
    rows[replica] = (value, now, gap)
    while len(rows) > MOST:
        del rows[min(rows, key=lambda name: rows[name][1])]
    return rows


def paced(gap: int, since: int) -> int:
    """How far apart points are: the longest of late, forgotten slowly, and fast what was a guess.

    What comes at one moment tells nothing of a guess: it was sent together.
    """
    if gap >= 0:
        return max(since, gap * 9 // 10)
    guess = -gap // 2 if since else -gap
    return since if since >= guess else -guess


def lasting(interval: int, silence: int) -> int:
    """How long an instance counts after its last point, while others speak."""
    return min(max(_INTERVALS * abs(interval), silence // _FASTEST), silence)


def numbers(known: Mapping[str, Row]) -> dict[str, float]:
    """What those say that say a number; JSON has nothing where there was NaN."""
    return {
        name: row[0] for name, row in known.items() if row[0] is not None and not math.isnan(row[0])
    }


def combined(
    values: Iterable[float], across: Across, *, worst: Callable[[Sequence[float]], float]
) -> float:
    """One number for all; `worst` chooses where each is judged by itself. Of none it is NaN."""
    found = sorted(values)
    if not found:
        return math.nan
    if across == "sum":
        return math.fsum(found)
    if across == "avg":
        return math.fsum(found) / len(found)
    if across in ("min", "max"):
        return found[0] if across == "min" else found[-1]
    return worst(found)
