"""Says what is wrong with metrics before they are kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from qmon_agent.domain.catalog import METRIC_TYPES, STATUSES, Metric
from qmon_agent.domain.errors import hint, nearest_to

MAX_DESCRIPTION = 2_000
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./:-]{0,254}\Z")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong: where, as `metrics[3].name`, and what."""

    field: str
    message: str

    def __str__(self) -> str:
        """Field and message, as one line."""
        return f"{self.field}: {self.message}"


def _one_of(known: Sequence[str]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value in known:
            return ""
        return f"{value!r} is not one of {', '.join(known)}{hint(nearest_to(value, known))}"

    return check


def _name(value: str) -> str:
    if NAME.match(value):
        return ""
    return f"{value!r} is no name: a letter first, then letters, digits, _ . / : -, at most 255"


def _description(value: str) -> str:
    return "" if len(value) <= MAX_DESCRIPTION else f"longer than {MAX_DESCRIPTION} characters"


def _system(value: int) -> str:
    return "" if value > 0 else "belongs to no monitoring system"


CHECKS: dict[str, Callable[[Any], str]] = {
    "name": _name,
    "description": _description,
    "metric_type": _one_of(METRIC_TYPES),
    "monitoring_system": _system,
    "status": _one_of(STATUSES),
}


class MetricValidator:
    """Checks every field of every metric, and that none is there twice."""

    def validate(self, metrics: Sequence[Metric]) -> list[Problem]:
        """Every problem found; none means the metrics can be kept."""
        problems = [
            problem for place, metric in enumerate(metrics) for problem in _check(metric, place)
        ]
        return problems or _doubled(metrics)


def _check(metric: Metric, place: int) -> list[Problem]:
    where = f"metrics[{place}]"
    try:
        # A struct built in Python has not been looked at yet; its types are, by a round trip.
        msgspec.convert(msgspec.to_builtins(metric), Metric)
    except (msgspec.ValidationError, TypeError) as error:
        return [Problem(field=where, message=str(error))]
    said = ((name, check(getattr(metric, name))) for name, check in CHECKS.items())
    return [Problem(field=f"{where}.{name}", message=message) for name, message in said if message]


def _doubled(metrics: Sequence[Metric]) -> list[Problem]:
    seen = Counter((metric.monitoring_system, metric.name) for metric in metrics)
    return [
        Problem(field="metrics", message=f"{name!r} is there {times} times in system {system}")
        for (system, name), times in seen.items()
        if times > 1
    ]
