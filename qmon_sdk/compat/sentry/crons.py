"""Scheduled jobs that say how they went: `monitor` and `capture_checkin`."""

from __future__ import annotations

from time import perf_counter_ns

from qmon_sdk.around import around
from qmon_sdk.client import current, guarded
from qmon_sdk.json_text import texts
from qmon_sdk.protocol.signals import CheckIn
from qmon_sdk.recorder.cells import draw_id
from qmon_sdk.rendering import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeVar

    F = TypeVar("F")

_SECOND_NS = 1_000_000_000


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
    client = current()
    run = label(check_in_id) or draw_id()
    attributes = {"checkin.id": run, **_schedule(monitor_config)}
    told = client.recording and client.emit(
        CheckIn(
            time=client.now(),
            monitor=label(monitor_slug),
            status=label(status),
            duration_ns=int((duration or 0) * _SECOND_NS),
            attributes=attributes,
        )
    )
    return run if told else None


def _schedule(config: Mapping[str, Any] | None) -> dict[str, str]:
    """Write when the job is to run, as `qmon_sdk.monitor` does."""
    if not config:
        return {}
    schedule = config.get("schedule") or {}
    if schedule.get("type") == "interval":
        when = f"every {label(schedule.get('value'))} {label(schedule.get('unit'))}"
    else:
        when = label(schedule.get("value"))
    told = {
        "monitor.schedule": when,
        "monitor.timezone": label(config.get("timezone")),
        "monitor.margin": _minutes(config.get("checkin_margin")),
        "monitor.max_runtime": _minutes(config.get("max_runtime")),
    }
    others = {"failure_issue_threshold", "recovery_threshold", "owner"} & config.keys()
    if others:
        told["monitor.more"] = texts({key: label(config[key]) for key in sorted(others)})
    return {key: text for key, text in told.items() if text}


def _minutes(number: Any) -> str:
    return str(float(number) * 60) if isinstance(number, int | float) else ""


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
