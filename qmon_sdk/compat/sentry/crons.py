"""Scheduled jobs that say how they went: `monitor` and `capture_checkin`."""

from __future__ import annotations

from time import perf_counter_ns

from qmon_sdk.around import around
from qmon_sdk.client import guarded, noted
from qmon_sdk.monitors import MAX_NAME, RUN, tell
from qmon_sdk.recorder.cells import draw_id
from qmon_sdk.rendering import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeVar

    F = TypeVar("F")

_SECOND_NS = 1_000_000_000
_DAYS_IN = {"month": 30, "year": 365}


class MonitorStatus:
    """How a run goes."""

    IN_PROGRESS = "in_progress"
    OK = "ok"
    ERROR = "error"


@guarded
def capture_checkin(  # noqa: PLR0917 - Sentry's signature
    monitor_slug: str | None = None,
    check_in_id: str | None = None,
    status: str | None = None,
    duration: float | None = None,
    monitor_config: Mapping[str, Any] | None = None,
) -> str | None:
    """Tell how a run of a job goes, and return the run's id."""
    run = label(check_in_id) or draw_id()
    told = tell(
        label(monitor_slug, MAX_NAME),
        label(status),
        attributes={RUN: run, **_schedule(monitor_config)},
        took=int((duration or 0) * _SECOND_NS),
    )
    return run if told else None


def _schedule(config: Mapping[str, Any] | None) -> dict[str, str]:
    """Write when the job is to run as `qmon_sdk.monitor` does; what cannot be is left out."""
    if not config:
        return {}
    told = {
        "schedule": _when(config.get("schedule") or {}),
        "margin_s": _minutes(config.get("checkin_margin")),
        "max_runtime_s": _minutes(config.get("max_runtime")),
        "timezone": label(config.get("timezone")),
    }
    return {key: text for key, text in told.items() if text}


def _when(schedule: Mapping[str, Any]) -> str:
    from qmon_sdk.protocol.schedules import parse_schedule, schedule_text

    value = schedule.get("value")
    if schedule.get("type") == "interval":
        unit = label(schedule.get("unit")).removesuffix("s")
        days = _DAYS_IN.get(unit)
        text = f"every {value} {unit}s" if days is None else f"every {days * int(value or 0)} days"
    else:
        text = label(value)
    try:
        parse_schedule(text)
        return schedule_text(text)
    except ValueError as error:
        noted("monitor_config", error)
        return ""


def _minutes(number: Any) -> str:
    return str(int(number * 60)) if isinstance(number, int | float) else ""


class monitor:  # noqa: N801 - used like a function
    """Tell when a block, or every call of a function, begins and how it ends."""

    def __init__(
        self, monitor_slug: str | None = None, monitor_config: Mapping[str, Any] | None = None
    ) -> None:
        self._slug = monitor_slug
        self._config = monitor_config

    def __enter__(self) -> None:
        """Tell that it begins."""
        self._began = perf_counter_ns()
        self._run = capture_checkin(
            self._slug, status=MonitorStatus.IN_PROGRESS, monitor_config=self._config
        )

    def __exit__(self, ty: object, value: BaseException | None, tb: object) -> None:
        """Tell how it ended."""
        capture_checkin(
            self._slug,
            self._run,
            MonitorStatus.OK if value is None else MonitorStatus.ERROR,
            duration=(perf_counter_ns() - self._began) / _SECOND_NS,
            monitor_config=self._config,
        )

    def __call__(self, fn: F) -> F:
        """Tell of every call of a function."""
        return around(fn, lambda: monitor(self._slug, self._config))  # type: ignore[type-var]
