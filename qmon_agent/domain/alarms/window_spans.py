"""When maintenance windows were in use, and when they will be next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from qmon_agent.domain.availability import Span
from qmon_agent.domain.schedules import next_run, period_of

from .windows import NOT_BEGUN, Window, begin

MOST_RUNS = 150_000
"""More than the minutes of ninety days."""


def openings(window: Window, since: int, until: int) -> Iterator[Span]:
    """When it was or will be open, of this time; a run that began before is there from `since`."""
    first = max(since, window.starts_at)
    last = min(until, window.ends_at) if window.ends_at else until
    for start, end in islice(_runs(window, first, last), MOST_RUNS):
        begins, ends = max(start, first), min(end, last)
        if begins < ends:
            yield begins, ends


def in_use(window: Window, failures: Iterable[int], *, since: int, until: int) -> list[Span]:
    """When it was in use; one that begins with a failure, by the moments of failures."""
    if not window.is_flexible:
        return list(openings(window, since, until))
    begun, found = NOT_BEGUN, []
    for moment in sorted(failures):
        after = begin(window, begun, moment)
        if after != begun:
            begun = after
            found.append((begun.at, begun.at + window.lasts_ns))
    return [(start, min(end, until)) for start, end in found if end > since and start < until]


def _runs(window: Window, first: int, last: int) -> Iterator[Span]:
    if not window.schedule:
        yield first, last
        return
    if period_of(window.schedule) is not None:
        # What runs every so often, from nowhere on, is open always or never.
        if next_run(window.schedule, 0) <= window.opens_ns:
            yield first, last
        return
    start = next_run(window.schedule, first - window.opens_ns, window.zone)
    while start < last:
        yield start, start + window.opens_ns
        start = next_run(window.schedule, start, window.zone)
