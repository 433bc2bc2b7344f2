"""Scheduled jobs that say when they begin and how they end, and programs that say they are alive.

Each check-in is sent before the call returns. The agent learns from them what a job's schedule is,
and finds the runs that never came, came late, or never ended.
"""

from __future__ import annotations

import sys
from os import getpid
from time import perf_counter_ns

from .anatomy import fields_of
from .around import around
from .captures import MARK
from .client import current, failed, guarded, verb
from .either_with import EitherWith
from .protocol.signals import CheckIn
from .recorder.cells import draw, position
from .recorder.endings import is_clean
from .rendering import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from types import FrameType, TracebackType
    from typing import Any, Self, TypeVar, overload

    F = TypeVar("F", bound=Callable[..., Any])
    Length = str | float | timedelta

IN_PROGRESS, OK, ERROR = "in_progress", "ok", "error"
RUN = "checkin.id"
MAX_NAME = 255


if TYPE_CHECKING:

    @overload
    def monitor(slug: F) -> F: ...
    @overload
    def monitor(
        slug: str | None = None,
        *,
        schedule: Length | None = None,
        margin: Length | None = None,
        max_runtime: Length | None = None,
        timezone: str = "UTC",
    ) -> Monitor: ...


def monitor(
    slug: Any = None,
    *,
    schedule: Any = None,
    margin: Any = None,
    max_runtime: Any = None,
    timezone: str = "UTC",
) -> Any:
    """Watch a scheduled job: a decorator for a function of any kind, or a `with` block.

    `slug` names it; by default the decorated function does. `schedule` is five fields as in a
    crontab, read by the clocks of `timezone`, one of `@hourly`, `@daily`, ..., or an interval:
    `"every 5 minutes"`, seconds, a `timedelta`. A run may begin `margin` late and last
    `max_runtime`, both lengths of time as well. It ends in `error` when an exception leaves it. A
    schedule that cannot be is counted, and raises `ScheduleError` under pytest and `debug`.
    """
    if callable(slug):
        return Monitor("", {})(slug)
    said = {"schedule": schedule, "margin_s": margin, "max_runtime_s": max_runtime}
    name = "" if slug is None else label(slug, MAX_NAME)
    return Monitor(name, _attributes(name, said, timezone))


@verb
def heartbeat(slug: str, *, interval: Length | None = None) -> None:
    """Say that something is alive, and by `interval` (seconds, `timedelta`, text) when it will.

    The agent reports it when the next heartbeat does not come.
    """
    name = label(slug, MAX_NAME)
    tell(name, OK, attributes=_attributes(name, {"schedule": interval}, "UTC"))


class Monitor(EitherWith):
    """One scheduled job; each call of what it decorates, and each `with`, is a run of it."""

    __slots__ = ("_attributes", "_running", "_slug")

    def __init__(self, slug: str, attributes: dict[str, str]) -> None:
        self._slug = slug
        self._attributes = attributes
        self._running: list[_Run] = []

    def __call__(self, function: F) -> F:
        """Watch every call of a function, coroutine or generator."""
        slug = self._slug or _name_of(function)
        return around(function, lambda: Monitor(slug, self._attributes))

    def __enter__(self) -> Self:
        """Begin a run."""
        run = _Run(self._slug or "job", self._attributes)
        self._running.append(run)
        run.begins()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, and say how it went."""
        if self._running:
            self._running.pop().ends(error)


class _Run:
    """One run of a job, in the process where it began."""

    __slots__ = ("_attributes", "_began", "_pid", "_slug")

    def __init__(self, slug: str, attributes: dict[str, str]) -> None:
        self._slug = slug
        self._attributes = {RUN: f"{draw(128):032x}", **attributes}
        self._pid = getpid()
        self._began = perf_counter_ns()

    @guarded
    def begins(self) -> None:
        tell(self._slug, IN_PROGRESS, attributes=self._attributes)

    @guarded
    def ends(self, error: BaseException | None) -> None:
        if self._pid != getpid():  # a forked child leaves the block as well
            return
        took = perf_counter_ns() - self._began
        if error is None or _is_well(error):
            tell(self._slug, OK, attributes=self._attributes, took=took)
            return
        about = {"error.type": type(error).__qualname__}
        if error_id := fields_of(error).get(MARK):
            about["error_id"] = error_id
        tell(self._slug, ERROR, attributes={**self._attributes, **about}, took=took)


def tell(slug: str, status: str, *, attributes: dict[str, str], took: int = 0) -> bool:
    """Send one check-in, with where in its trace it is said; say whether anybody keeps it."""
    client = current()
    if not client.recording:
        return False
    trace_id, span_id = position()
    if trace_id:
        attributes = {**attributes, "trace_id": trace_id, "span_id": span_id}
    return client.emit(
        CheckIn(
            time=client.now(), monitor=slug, status=status, duration_ns=took, attributes=attributes
        )
    )


def _is_well(error: BaseException) -> bool:
    """Say whether leaving by this is no failure: a generator was closed, a program has ended."""
    return is_clean(error) if isinstance(error, SystemExit) else isinstance(error, GeneratorExit)


def _attributes(slug: str, said: dict[str, Any], timezone: str) -> dict[str, str]:
    """Write what was said of a job; what cannot be is left out and counted, and loud in tests."""
    told = {name: value for name, value in said.items() if value is not None}
    if not told:
        return {}
    from .protocol.schedules import parse_schedule, schedule_text, seconds_of

    attributes = {}
    for name, value in told.items():
        try:
            if name == "schedule":
                parse_schedule(value)
                attributes[name] = schedule_text(value)
            else:
                attributes[name] = f"{seconds_of(value):.3f}".rstrip("0").rstrip(".")
        except Exception as error:  # noqa: BLE001 - the guard
            failed(f"{_whose(slug)}: {name.removesuffix('_s')}", error)
    if timezone != "UTC" and "schedule" in attributes:
        attributes["timezone"] = _known(timezone, slug)
    return attributes


def _whose(slug: str) -> str:
    """Name a monitor, by its place in the source if it has no other name yet."""
    if slug:
        return f"monitor {slug}"
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - there is no other way to it
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return "monitor" if frame is None else f"monitor at {frame.f_code.co_filename}:{frame.f_lineno}"


def _known(timezone: str, slug: str) -> str:
    """Look a time zone up; a name unknown to this machine may be known to the agent's."""
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(timezone)
    except Exception as error:  # noqa: BLE001 - there are many ways to be no time zone
        failed(f"{_whose(slug)}: timezone", error)
    return label(timezone, MAX_NAME)


def _name_of(function: Any) -> str:
    """Name a job by its function, and by its module unless that is the program itself."""
    name = label(getattr(function, "__qualname__", "job"), MAX_NAME)
    module = getattr(function, "__module__", None)
    return name if not module or module == "__main__" else label(f"{module}.{name}", MAX_NAME)
