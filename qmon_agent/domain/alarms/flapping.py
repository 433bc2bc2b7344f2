"""Flapping: a state that changes so often that each change is no news any more.

As Icinga counts it: of the last 20 looks, those that saw a change, the latest of which weighs most.
"""

from __future__ import annotations

import msgspec

LOOKS = 20
LIGHTEST, HEAVIER = 0.8, 0.02
"""What the oldest change weighs, and how much more each that is newer."""
ENTERS_ABOVE, LEAVES_AT = 30.0, 25.0


class Flaps(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last looks as bits, the newest lowest: one where the state had changed."""

    changes: int = 0
    last: str = ""
    is_flapping: bool = False


def look(flaps: Flaps, state: str) -> Flaps:
    """After one more look at the state."""
    changed = bool(flaps.last) and flaps.last != state
    changes = ((flaps.changes << 1) | changed) & ((1 << LOOKS) - 1)
    percent = percent_of(changes)
    flapping = percent > (LEAVES_AT if flaps.is_flapping else ENTERS_ABOVE)
    return Flaps(changes=changes, last=state, is_flapping=flapping)


def percent_of(changes: int) -> float:
    """How much of the last looks were changes, weighed."""
    newest = LOOKS - 1
    weights = (LIGHTEST + HEAVIER * (newest - age) for age in range(LOOKS) if changes >> age & 1)
    return 100 * sum(weights) / LOOKS
