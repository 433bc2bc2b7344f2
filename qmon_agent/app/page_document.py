"""The status page as a document, in the shape of Atlassian's `summary.json`, and uptime beside it.

Nothing is in it but what the page's section says, states, moments, and remarks that are public.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from qmon_agent.app.page_entries import PageEntry, entries
from qmon_agent.app.page_history import DAYS, Course, Past
from qmon_agent.domain.alarms.components import opaque
from qmon_agent.domain.alarms.public_story import Update, story
from qmon_agent.domain.alarms.window_spans import openings
from qmon_agent.domain.alarms.windows import Window
from qmon_agent.domain.availability import State, total, uptime_of, worst_of
from qmon_agent.domain.clock import SECOND

Document = dict[str, Any]
DAY_NS = 86_400 * SECOND
SHOWN_AFTER_NS = 14 * DAY_NS
"""How long an incident is listed when it is over."""
MOST_INCIDENTS = 100
_AHEAD_NS = 366 * DAY_NS
_IMPACTS: Mapping[State, str] = {
    "operational": "none",
    "under_maintenance": "maintenance",
    "degraded_performance": "minor",
    "partial_outage": "major",
    "major_outage": "critical",
}
_DESCRIPTIONS: Mapping[State, str] = {
    "operational": "All Systems Operational",
    "under_maintenance": "Service Under Maintenance",
    "degraded_performance": "Partially Degraded Service",
    "partial_outage": "Partial System Outage",
    "major_outage": "Major System Outage",
}


def page_document(past: Past, courses: Sequence[Course]) -> Document:
    """All of it, for anybody."""
    worst = worst_of(each.state for each in courses)
    page, now = past.page, past.now
    return {
        "page": {
            "id": opaque("page", page.title),
            "name": page.title,
            "url": page.url,
            "time_zone": page.zone,
            "updated_at": moment(now),
        },
        "status": {"indicator": _IMPACTS[worst], "description": _DESCRIPTIONS[worst]},
        "components": [_component(each, n, now) for n, each in enumerate(courses, start=1)],
        "incidents": _incidents(past, courses),
        "scheduled_maintenances": _maintenances(courses, now),
        "uptime": {"days": DAYS, "components": [_uptime(each) for each in courses]},
    }


def moment(at: int) -> str:
    """A moment as JSON has it; nanoseconds are for nobody here."""
    return f"{datetime.fromtimestamp(at // SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _component(course: Course, position: int, now: int) -> Document:
    component = course.component
    return {
        "id": component.id,
        "name": component.name,
        "description": component.description,
        "status": course.state,
        "position": position,
        "updated_at": moment(now),
    }


def _uptime(course: Course) -> Document:
    return {
        "id": course.component.id,
        "name": course.component.name,
        "since": moment(course.since),
        "uptime": uptime_of(total(course.days)),
        "days": [
            {
                "date": day.date,
                "uptime": day.uptime,
                "status": day.worst,
                "seconds": {state: nanos / SECOND for state, nanos in day.nanos.items()},
            }
            for day in course.days
        ],
    }


def _incidents(past: Past, courses: Sequence[Course]) -> list[Document]:
    """Those that last, and those that ended lately, the newest first; what is merged is one."""
    known = past.chronicle.episodes
    met = [each for each in known if any(each.id in course.troubles for course in courses)]
    shown = []
    for entry in entries(met, known):
        ends = [each.resolved_at for each in entry.members]
        if not all(ends) or max(ends) >= past.now - SHOWN_AFTER_NS:
            shown.append(_incident(entry, courses))
    shown.sort(key=lambda each: str(each["created_at"]), reverse=True)
    return shown[:MOST_INCIDENTS]


def _incident(entry: PageEntry, courses: Sequence[Course]) -> Document:
    members, returns = entry.members, entry.returns
    hit = [each for each in courses if any(one.id in each.troubles for one in members)]
    met = [piece for each in hit for one in members for piece in each.troubles.get(one.id, ())]
    worst, began_at = worst_of(each.state for each in met), min(each.start for each in met)
    ends = [each.resolved_at for each in members]
    ended_at = max(ends) if all(ends) else 0
    title = ", ".join(each.component.name for each in hit)
    updates = story(
        (said for each in entry.remarked for said in each.remarks),
        began_at=began_at,
        ended_at=ended_at,
        opening=f"{title}: {worst.replace('_', ' ')}.",
        returns=returns,
        anew=entry.anew,
    )
    public = opaque("incident", entry.name)
    return {
        "id": public,
        "name": title,
        "status": "resolved" if ended_at else updates[-1].status,
        "impact": _IMPACTS[worst],
        "created_at": moment(began_at),
        "started_at": moment(began_at),
        "updated_at": moment(updates[-1].at),
        "resolved_at": moment(ended_at) if ended_at else None,
        "times": len(returns) + 1,
        "components": [_named(each) for each in hit],
        "incident_updates": [*reversed([*_updates(public, updates)])],
    }


def _updates(incident: str, updates: Sequence[Update]) -> Iterator[Document]:
    for number, each in enumerate(updates):
        yield {
            "id": opaque("update", f"{incident}/{number}"),
            "incident_id": incident,
            "status": each.status,
            "body": each.body,
            "created_at": moment(each.at),
        }


def _named(course: Course) -> Document:
    component = course.component
    return {"id": component.id, "name": component.name, "status": course.state}


def _maintenances(courses: Sequence[Course], now: int) -> list[Document]:
    """Of each window that is planned, the run that goes on, if one does, and the next."""
    windows = {window.name: window for course in courses for window in course.windows}
    shown = []
    for window in windows.values():
        hit = [each for each in courses if window in each.windows]
        if not window.is_flexible:
            shown += [_maintenance(window, run, hit=hit, now=now) for run in _runs(window, now)]
    return sorted(shown, key=lambda each: str(each["scheduled_for"]))


def _runs(window: Window, now: int) -> list[tuple[int, int]]:
    since = now - window.opens_ns if window.schedule else 0
    coming = (run for run in openings(window, since, now + _AHEAD_NS) if run[1] > now)
    first = [*islice(coming, 1)]
    return [*first, *islice(coming, 1)] if first and first[0][0] <= now else first


def _maintenance(
    window: Window, run: tuple[int, int], *, hit: Sequence[Course], now: int
) -> Document:
    title = ", ".join(each.component.name for each in hit)
    return {
        "id": opaque("maintenance", f"{window.name}/{run[0]}"),
        "name": f"Maintenance: {title}",
        "status": "in_progress" if run[0] <= now else "scheduled",
        "impact": "maintenance",
        "scheduled_for": moment(run[0]),
        "scheduled_until": moment(run[1]),
        "components": [_named(each) for each in hit],
        "incident_updates": [],
    }
