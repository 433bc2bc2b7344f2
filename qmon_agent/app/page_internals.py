"""What only we are told beside the status page: of what nothing is known, and by which alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qmon_agent.alerting import Standing
from qmon_agent.app.page_history import Course


def internals(
    courses: Sequence[Course],
    standings: Iterable[Standing],
    *,
    problems: Mapping[str, str],
    is_cut: bool,
) -> dict[str, Any]:
    """The unknown is never down on the page, so it has to be said somewhere."""
    doubted = [each for each in standings if each.unknown]
    return {
        "is_cut": is_cut,
        "components": [
            {
                "name": course.component.name,
                "alerts": sorted(course.component.alerts),
                "incidents": sorted(course.troubles),
                "unknown": _unknown(course, doubted),
                "problems": {
                    name: text for name, text in problems.items() if name in course.component.alerts
                },
            }
            for course in courses
        ],
    }


def _unknown(course: Course, doubted: Iterable[Standing]) -> list[dict[str, str]]:
    return [
        {"alert": each.alert, "instance": each.instance, "reason": each.unknown}
        for each in doubted
        if course.component.has(each.alert, each.matched_labels)
    ]
