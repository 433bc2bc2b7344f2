"""What goes unsaid: what a channel never heard, and what is over or said anew by the time it could.

Whoever was away for long is to know how it stands, and not to live through all of it: of each
thread (an incident, or the group of one route) the newest state, and nothing where it began and
ended meanwhile. What the channel has heard, or may have, it hears the end of.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Literal

import msgspec

from qmon_agent.domain.clock import SECOND

LATE_NS = 300 * SECOND
"""What waits no longer than that is told, whatever has become of it."""

Unsaid = Literal["over", "newer", "unheard"]
"""It was over before it could be told; a newer message tells it; nobody heard that it began."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A message of one thread to one channel, and what became of it so far."""

    id: int
    says: Literal["firing", "acknowledged", "resolved"]
    created_at: int
    firing: frozenset[str] = frozenset()
    """The incidents that fire by it."""
    resolved: frozenset[str] = frozenset()
    """Those that are over by it."""
    is_cut: bool = False
    """Whether it is about more incidents than it names."""
    is_open: bool = False
    """Whether it is still to be sent."""
    was_told: bool = False
    """Whether it has arrived, or may have."""
    was_missed: bool = False
    """Whether it is known that it never arrived, and never will."""
    sums_up: bool = False
    """Whether it tells of others that are not told: the newest of these is always sent."""

    def is_over(self, over: Container[str]) -> bool:
        """Whether nothing of it fires any more; `over` are the incidents that do not."""
        if self.sums_up:
            return False
        return self.says == "resolved" or (
            not self.is_cut and all(name in over for name in self.firing)
        )


def unsaid(letters: Sequence[Written], now: int, *, over: Container[str]) -> dict[int, Unsaid]:
    """Which of a thread's messages are not to be sent, of all there are, in order."""
    waiting = [each for each in letters if each.is_open]
    is_late = any(now - each.created_at >= LATE_NS for each in waiting)
    if not is_late:
        return _unheard(letters)
    newest = next((each for each in reversed(waiting) if each.says != "acknowledged"), waiting[-1])
    if any((each.was_told and each.says != "resolved") or each.sums_up for each in letters):
        return _outdated(letters, newest, over=over)
    if newest.is_over(over):
        return {each.id: "unheard" if each.says == "resolved" else "over" for each in waiting}
    if newest.says == "acknowledged":
        return {}
    return {each.id: "newer" for each in waiting if each.id < newest.id}


def _unheard(letters: Sequence[Written]) -> dict[int, Unsaid]:
    """The ends of what was left unsaid before."""
    if any(each.was_told for each in letters):
        return {}
    found: dict[int, Unsaid] = {}
    missed: set[str] = set()
    for each in letters:
        if each.was_missed:
            missed |= each.firing
        elif each.is_open and each.says == "resolved" and not each.is_cut:
            if each.resolved <= missed:
                found[each.id] = "unheard"
        elif each.is_open:
            break
    return found


def _outdated(
    letters: Sequence[Written], newest: Written, *, over: Container[str]
) -> dict[int, Unsaid]:
    """All but the newest state, and what alone says of something that was heard that it is over."""
    waiting = [each for each in letters if each.is_open]
    # An acknowledgement is no state: what it is about has to be there first.
    stays = {each.id for each in waiting if each.id > newest.id}
    is_past = newest.says == "firing" and newest.is_over(over)
    if not is_past:
        stays.add(newest.id)
    while True:
        needed = _needed(letters, stays)
        if needed <= stays:
            break
        stays |= needed
    return {
        each.id: "over" if each.id == newest.id else "newer"
        for each in waiting
        if each.id not in stays
    }


def _needed(letters: Sequence[Written], stays: set[int]) -> set[int]:
    """What has to be sent, if these are, so that nothing heard of seems to fire for ever."""
    heard: set[str] = set()
    for each in letters:
        if each.was_told or each.id in stays:
            heard |= each.firing
    needed: set[int] = set()
    later: set[str] = set()
    for each in reversed(letters):
        ends = each.resolved & heard - later
        if each.is_open and (ends or (each.is_cut and each.resolved)):
            needed.add(each.id)
        if each.is_open and each.id in stays | needed:
            later |= each.firing | each.resolved
    return needed
