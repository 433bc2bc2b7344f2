"""Pages in the night: whom, and how often."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta

import msgspec

from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.schedules import zone_of

from .histories import Letter

PAGES = frozenset({"critical"})
"""How bad it has to be for a message to be a page."""
EVENING, MORNING = 22, 7
"""The hours between which it is night, by the clocks of the place."""
_DAY_NS = 86_400 * SECOND


class Night(msgspec.Struct, frozen=True, kw_only=True):
    """What one person had of it; without a name: what was given to nobody."""

    person: str
    pages: int
    per_night: float
    """Over all nights of that time, also the quiet ones."""
    worst: int
    worst_night: str
    """The day on whose evening it began."""


class Nights(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is night, and who has which channels to be called by."""

    zone: str = "UTC"
    people: Mapping[str, Collection[str]] = {}


ANYWHERE = Nights()


def nightly(
    letters: Iterable[Letter], nights: Nights, *, since: int, until: int
) -> tuple[Night, ...]:
    """Pages of each person: all that was told of one critical incident at one moment is one page.

    It does not matter over how many channels; only what says that something fires, and has arrived,
    counts. It is for whoever the channels belong to; by those that are nobody's own, for whoever
    had the incident, unless somebody was called at that moment.
    """
    place = zone_of(nights.zone)
    by_person: dict[str, Counter[date]] = defaultdict(Counter)
    for (_, at), told in _pages(letters).items():
        if night := night_of(datetime.fromtimestamp(at // SECOND, place)):
            for person in _called(told, nights.people):
                by_person[person][night] += 1
    return _summed(by_person, max(-((since - until) // _DAY_NS), 1))


def _pages(letters: Iterable[Letter]) -> dict[tuple[str, int], list[Letter]]:
    found: dict[tuple[str, int], list[Letter]] = defaultdict(list)
    for each in letters:
        if each.status == "sent" and each.says == "firing" and each.severity in PAGES:
            found[each.incident, each.created_at].append(each)
    return found


def _called(told: Collection[Letter], people: Mapping[str, Collection[str]]) -> set[str]:
    by = {each.channel for each in told}
    called = {person for person, channels in people.items() if by & {*channels}}
    return called or {each.person for each in told}


def _summed(by_person: Mapping[str, Counter[date]], nights: int) -> tuple[Night, ...]:
    return tuple(
        _night(person, pages, nights)
        for person, pages in sorted(by_person.items(), key=lambda each: (-each[1].total(), each[0]))
    )


def night_of(moment: datetime) -> date | None:
    """The day on whose evening the night began; nothing by day."""
    if moment.hour >= EVENING:
        return moment.date()
    return moment.date() - timedelta(days=1) if moment.hour < MORNING else None


def _night(person: str, pages: Counter[date], nights: int) -> Night:
    worst, most = min(pages.items(), key=lambda each: (-each[1], each[0]))
    return Night(
        person=person,
        pages=pages.total(),
        per_night=pages.total() / nights,
        worst=most,
        worst_night=worst.isoformat(),
    )
