"""A status page as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]
_BARS = {
    "operational": "█",
    "under_maintenance": "▒",
    "degraded_performance": "▆",
    "partial_outage": "▃",
    "major_outage": "▁",
}
_NOTHING = "·"


def page_lines(answer: Document) -> Iterator[str]:
    """All of it, for people."""
    yield f"{answer['page']['name']}: {answer['status']['description']}"
    yield from _components(answer)
    yield from _doubts(answer.get("internal", {}))
    if answer["incidents"]:
        yield ""
        for incident in answer["incidents"]:
            yield from _incident(incident)
    if answer["scheduled_maintenances"]:
        yield ""
        for each in answer["scheduled_maintenances"]:
            when = f"{each['scheduled_for']} - {each['scheduled_until']}"
            yield f"{each['name']}: {each['status'].replace('_', ' ')}, {when}"


def bar(days: Sequence[Document], length: int) -> str:
    """A character for each day, the last one today: the lower, the worse; a dot: not known."""
    known = "".join(_BARS.get(day["status"], _NOTHING) for day in days)[-length:]
    return known.rjust(length, _NOTHING)


def _components(answer: Document) -> Iterator[str]:
    states = {each["id"]: each["status"] for each in answer["components"]}
    uptime = answer["uptime"]
    width = max((len(each["name"]) for each in uptime["components"]), default=0)
    for each in uptime["components"]:
        state = states[each["id"]].replace("_", " ")
        yield ""
        yield f"{each['name'].ljust(width)}  {state}, {_percent(each)} since {each['since'][:10]}"
        yield f"  {bar(each['days'], uptime['days'])}"


def _percent(component: Document) -> str:
    # Cut, not rounded: what was down for a moment was not up all the time.
    return f"{int(component['uptime'] * 100_000) / 1_000:.3f} % up"


def _doubts(internal: Document) -> Iterator[str]:
    for each in internal.get("components", ()):
        names = sorted({one["alert"] for one in each["unknown"]} | {*each["problems"]})
        if names:
            yield f"  not known of {each['name']}, and not shown to others: {', '.join(names)}"


def _incident(incident: Document) -> Iterator[str]:
    yield f"{incident['name']}: {incident['status']} ({incident['impact']})"
    for said in incident["incident_updates"]:
        yield f"  {said['created_at']}  {said['status']}: {said['body']}"
