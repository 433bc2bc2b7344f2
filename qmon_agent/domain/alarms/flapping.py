"""Flapping: what fires and ends so often that each change is no news any more.

As Icinga counts it: of the last 20 looks, those that saw a change, the latest of which weighs most.
As nothing looks at regular times here, the looks are slices of time, and a slice with several
changes is as many looks: what goes up and down each second flaps as soon as what does each minute.
"""

from __future__ import annotations

import msgspec

LOOKS = 20
LIGHTEST, HEAVIER = 0.8, 0.02
"""What the oldest change weighs, and how much more each that is newer."""
_ALL = (1 << LOOKS) - 1


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """How much is too much: above `high` percent it flaps, until it is `low` or less."""

    window_ns: int = 0
    """How long the 20 looks are together; zero: it never flaps."""
    high: float = 30.0
    low: float = 25.0

    @property
    def look_ns(self) -> int:
        return max(self.window_ns // LOOKS, 1)


EVERYTHING = Tolerance()


class Flaps(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last looks as bits, the newest lowest: one where something had changed."""

    changes: int = 0
    look: int = 0
    """The number of the newest look."""
    is_flapping: bool = False


STEADY = Flaps()


def look(flaps: Flaps, now: int, *, by: Tolerance, changed: bool = False) -> Flaps:
    """As it stands at a moment, when something has changed or only time has passed."""
    if not by.window_ns:
        return STEADY
    number = now // by.look_ns
    # A clock that is set back a little is waited for; by more than is remembered, it is followed.
    newest = number if number < flaps.look - LOOKS else max(number, flaps.look)
    passed = min(max(newest - flaps.look, 0), LOOKS)
    is_further = changed and not passed and flaps.changes & 1
    changes = ((flaps.changes << (passed or is_further)) | changed) & _ALL
    limit = by.low if flaps.is_flapping else by.high
    return Flaps(changes=changes, look=newest, is_flapping=percent_of(changes) > limit)


def steady_at(flaps: Flaps, *, by: Tolerance) -> int | None:
    """When it flaps no more, if nothing changes until then; none where it does not."""
    if not flaps.is_flapping:
        return None
    looks = next(n for n in range(LOOKS + 1) if percent_of(flaps.changes << n & _ALL) <= by.low)
    return (flaps.look + looks) * by.look_ns


def percent_of(changes: int) -> float:
    """How much of the last looks were changes, weighed."""
    newest = LOOKS - 1
    weights = (LIGHTEST + HEAVIER * (newest - age) for age in range(LOOKS) if changes >> age & 1)
    return 100 * sum(weights) / LOOKS
