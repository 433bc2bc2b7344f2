"""What is one entry of a status page: an incident, those merged into it, and its coming back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from qmon_agent.domain.alarms.histories import merged_into_of
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.incidents import FOREVER_NS
from qmon_agent.store.state.chronicle import Episode

CALM_NS = 20 * 60 * SECOND
"""What comes back so soon is the same trouble still; flapping is watched for as long."""
_Likeness = tuple[str, frozenset[tuple[str, str]]]


class PageEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What a stranger reads of as one trouble."""

    name: str
    """The incident that began it, or into which that was merged: it stays while more are added."""
    members: Sequence[Episode]
    remarked: Sequence[Episode]
    """Whose remarks tell its story: its members, and what they were merged into."""

    @property
    def returns(self) -> list[int]:
        """When it came back, the part of it that did so most often."""
        fired: dict[_Likeness, list[int]] = defaultdict(list)
        for each in self.members:
            fired[_likeness(each)] += _firings(each)
        most: list[int] = max(fired.values(), key=len)
        return sorted(most)[1:]

    @property
    def anew(self) -> list[int]:
        """When it came back after all of it had been over: who looked after it then is done."""
        found, over_at = [], 0
        for each in self.members:
            if 0 < over_at <= each.fired_at:
                found.append(each.fired_at)
            over_at = max(over_at, each.resolved_at or FOREVER_NS)
        return found


def entries(episodes: Sequence[Episode], known: Iterable[Episode]) -> Iterator[PageEntry]:
    """Of incidents that concern the page; `known` are all: some were merged into others."""
    heads = {each.id: each for each in known}
    leads = _Leads()
    latest: dict[_Likeness, Episode] = {}
    groups: dict[str, list[Episode]] = defaultdict(list)
    in_order = sorted(episodes, key=lambda each: (each.fired_at, each.id))
    for each in in_order:
        before = latest.get(_likeness(each))
        if before is not None and _came_back(before, each):
            leads.join(_group_of(before), _group_of(each))
        latest[_likeness(each)] = each
    for each in in_order:
        groups[leads.first(_group_of(each))].append(each)
    for name, members in groups.items():
        ids = dict.fromkeys(one for each in members for one in (each.id, _group_of(each)))
        yield PageEntry(
            name=name, members=members, remarked=[heads[one] for one in ids if one in heads]
        )


class _Leads:
    """Which group another one goes on from."""

    def __init__(self) -> None:
        self._to: dict[str, str] = {}

    def first(self, name: str) -> str:
        while name in self._to:
            name = self._to[name]
        return name

    def join(self, earlier: str, later: str) -> None:
        one, other = self.first(earlier), self.first(later)
        if one != other:
            self._to[other] = one


def _group_of(each: Episode) -> str:
    return merged_into_of(each.remarks) or each.id


def _came_back(before: Episode, after: Episode) -> bool:
    return bool(before.resolved_at) and after.fired_at - before.resolved_at <= CALM_NS


def _likeness(each: Episode) -> _Likeness:
    """The same alert of the same thing, however bad it was."""
    return each.alert, frozenset(
        (name, text) for name, text in each.labels.items() if name != "severity"
    )


def _firings(each: Episode) -> list[int]:
    """When it came to fire: once, and once more each time while it was held open."""
    moved = [one.at for one in each.transitions if one.after == "firing" != one.before]
    return moved or [each.fired_at]
