"""How well something was, day by day: stretches of time in states, of which the worst counts.

All moments are nanoseconds UTC; a stretch has its start in it and its end not.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from operator import itemgetter
from typing import Literal

import msgspec

from .clock import SECOND
from .schedules import zone_of

State = Literal[
    "operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage"
]
STATES: tuple[State, ...] = (
    "operational",
    "under_maintenance",
    "degraded_performance",
    "partial_outage",
    "major_outage",
)
"""From the best to the worst, in the words of Atlassian's Statuspage."""
DOWN: frozenset[State] = frozenset({"partial_outage", "major_outage"})
Span = tuple[int, int]


class Stretch(msgspec.Struct, frozen=True, order=True):
    """A state, for a time."""

    start: int
    end: int
    state: State = "operational"


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day of a calendar, as far as anything is known of it."""

    date: str
    nanos: dict[State, int]
    """How long it was in each state, of those it was in."""

    @property
    def uptime(self) -> float:
        """The share of the time in which it was not down."""
        return uptime_of(self.nanos)

    @property
    def worst(self) -> State:
        """The worst state it was in."""
        return worst_of(self.nanos)


def worst_of(states: Iterable[State]) -> State:
    """The worst of some; of none, it is operational."""
    return max(states, key=STATES.index, default="operational")


def uptime_of(nanos: dict[State, int]) -> float:
    """The share of a time in which it was not down; of no time, all of it."""
    whole = sum(nanos.values())
    down = sum(nanos.get(state, 0) for state in DOWN)
    return 1.0 - down / whole if whole else 1.0


def excused(stretch: Stretch, spans: Iterable[Span]) -> Iterator[Stretch]:
    """The stretch, in pieces: inside of the spans it is maintenance, whatever it is else."""
    at = stretch.start
    for first, last in sorted(spans):
        start, end = max(first, at), min(last, stretch.end)
        if start >= end:
            continue
        if at < start:
            yield Stretch(at, start, stretch.state)
        yield Stretch(start, end, "under_maintenance")
        at = end
    if at < stretch.end:
        yield Stretch(at, stretch.end, stretch.state)


def overlapping(spans: Sequence[Span], stretch: Stretch) -> Sequence[Span]:
    """Of spans in order, none of which touches another, those that the stretch meets."""
    first = bisect_right(spans, stretch.start, key=itemgetter(1))
    return spans[first : bisect_left(spans, stretch.end, key=itemgetter(0))]


def timeline(stretches: Iterable[Stretch], since: int, until: int) -> list[Stretch]:
    """The whole time without a gap and nothing twice: at each moment the worst that is said."""
    edges: dict[int, list[tuple[State, int]]] = {since: [], until: []}
    for each in stretches:
        start, end = max(each.start, since), min(each.end, until)
        if start < end:
            edges.setdefault(start, []).append((each.state, 1))
            edges.setdefault(end, []).append((each.state, -1))
    moments = sorted(edges) if since < until else []
    lasting = dict.fromkeys(STATES, 0)
    found: list[Stretch] = []
    for start, end in pairwise(moments):
        for state, change in edges[start]:
            lasting[state] += change
        worst = worst_of(state for state, times in lasting.items() if times)
        if found and found[-1].state == worst:
            found[-1] = Stretch(found[-1].start, end, worst)
        else:
            found.append(Stretch(start, end, worst))
    return found


def by_day(line: Sequence[Stretch], zone: str) -> list[Day]:
    """A timeline, cut where the clocks of a place show midnight."""
    if not line:
        return []
    days = _days(line[0].start, line[-1].end, zone)
    made, rest = [], list(reversed(line))
    for name, end in days:
        nanos: dict[State, int] = {}
        while rest and rest[-1].start < end:
            piece = rest.pop()
            upto = min(piece.end, end)
            nanos[piece.state] = nanos.get(piece.state, 0) + upto - piece.start
            if upto < piece.end:
                rest.append(Stretch(upto, piece.end, piece.state))
        made.append(Day(date=name, nanos=nanos))
    return made


def total(days: Iterable[Day]) -> dict[State, int]:
    """How long it was in each state on all of them."""
    nanos: dict[State, int] = {}
    for day in days:
        for state, length in day.nanos.items():
            nanos[state] = nanos.get(state, 0) + length
    return nanos


def day_begins(moment: int, zone: str, *, days_before: int = 0) -> int:
    """When the day of a moment began, or one so many days before it."""
    place = zone_of(zone)
    day = datetime.fromtimestamp(moment // SECOND, place).date() - timedelta(days=days_before)
    return _midnight(day, zone)


def _days(start: int, end: int, zone: str) -> Iterator[tuple[str, int]]:
    """The days that are touched, each with its end."""
    day = datetime.fromtimestamp(start // SECOND, zone_of(zone)).date()
    while True:
        ends = _midnight(day + timedelta(days=1), zone)
        if ends > start:  # a day that a place has left out has no length
            yield day.isoformat(), ends
        if ends >= end:
            return
        day += timedelta(days=1)


def _midnight(day: date, zone: str) -> int:
    moment = datetime.combine(day, time(), tzinfo=zone_of(zone))
    return round(moment.timestamp()) * SECOND
