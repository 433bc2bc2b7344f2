"""Celery: tasks are spans of their sender's trace, failures errors, beat's entries monitors."""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from time import perf_counter_ns

from qmon_sdk.client import guarded
from qmon_sdk.monitors import ERROR, IN_PROGRESS, RUN, tell
from qmon_sdk.propagation import inject
from qmon_sdk.spans import current_span

from . import _tasks
from ._tasks import Work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ._watch import Watch

SYSTEM = "celery"
NAME, STATE, RETRIES = "celery.task_name", "celery.state", "celery.retries"
HEADER = "qmon-checkin"
"""The header by which a worker learns that a task is a monitor's run: `ID MONITOR`."""

_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
_HOUSEKEEPING = "celery."
_CARRIED = ("traceparent", "tracestate", "baggage")
_WORK: ContextVar[Work | None] = ContextVar("qmon_celery_work", default=None)
_DUE: ContextVar[str] = ContextVar("qmon_celery_due", default="")


class CeleryIntegration:
    """Watches what is sent, what is worked on in whatever pool, and what beat schedules."""

    def install(self, watch: Watch) -> None:
        """Wait for the parts: Celery imports itself piece by piece, as they are used."""
        watch.when_imported("celery.signals", _watch_signals)
        watch.when_imported("celery.app.base", _watch_sending)
        watch.when_imported("celery.beat", _watch_beat)


def _watch_signals(watch: Watch) -> None:
    from celery import signals

    # The public way in: Celery asks these also of tasks it has prepared before we came.
    for name, receiver in _RECEIVERS.items():
        signal = getattr(signals, name)
        signal.connect(receiver, weak=False)
        watch.undo_by(partial(signal.disconnect, receiver))


def _watch_sending(watch: Watch) -> None:
    from celery.app.base import Celery

    watch.wrap(Celery, "send_task", _sent)


def _watch_beat(watch: Watch) -> None:
    from celery.beat import Scheduler

    watch.wrap(Scheduler, "apply_async", _due)


# ---------------------------------------------------------------- sending


def _sent(send: Callable[..., Any]) -> Callable[..., Any]:
    def send_task(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        with _tasks.sending(SYSTEM, str(name), **{NAME: str(name)}):
            return send(self, name, *args, **kwargs)

    return send_task


@guarded
def _before_publish(
    headers: Any = None, routing_key: Any = "", exchange: Any = "", **_: Any
) -> None:
    """Write the trace into the message; for the old protocol there is no place to do so."""
    if headers is None:
        return
    for name in _CARRIED:  # of the message that a retried task came with
        headers.pop(name, None)
    inject(headers)
    due = _DUE.get()
    if due:
        headers[HEADER] = due
    about = {
        _tasks.MESSAGE: headers.get("id"),
        _tasks.CONVERSATION: headers.get("root_id"),
        _tasks.DESTINATION: routing_key or exchange,
    }
    current_span().set_attributes({key: value for key, value in about.items() if value})


# ---------------------------------------------------------------- working


@guarded
def _begin(task_id: str = "", task: Any = None, **_: Any) -> None:
    request = task.request
    facts: dict[str, Any] = {_tasks.SYSTEM: SYSTEM, _tasks.MESSAGE: task_id, NAME: task.name}
    facts |= _facts_of(request)
    work = Work(task_id, facts, _WORK.get())
    headers = {name: getattr(request, name, None) for name in (*_CARRIED, HEADER)}
    # An eager task runs in its sender's place in the trace already.
    work.begin(task.name, None if request.is_eager else headers)
    work.keep_check_in(*_run_of(headers[HEADER]))
    _WORK.set(work)


def _facts_of(request: Any) -> dict[str, Any]:
    delivery = request.delivery_info or {}
    facts = {
        _tasks.DESTINATION: delivery.get("routing_key"),
        _tasks.CONVERSATION: request.root_id,
        RETRIES: request.retries,
    }
    return {key: value for key, value in facts.items() if value}


@guarded
def _failed(
    sender: Any = None, task_id: str = "", exception: BaseException | None = None, **facts: Any
) -> None:
    """Keep the error; one that the task has declared as usual (`throws`) only marks the span.

    A worker also tells of tasks whose process has died: then nobody is at work here.
    """
    expected = tuple(getattr(sender, "throws", None) or ())
    work = _working_on(task_id)
    if isinstance(exception, expected):
        if work is not None:
            work.span.set_attribute("error.type", type(exception).__qualname__)
        return
    name = getattr(sender, "name", "")
    about = {_tasks.SYSTEM: SYSTEM, _tasks.MESSAGE: task_id, NAME: name}
    (work or Work(task_id, about)).fail(exception, _arguments(facts))


def _arguments(facts: Mapping[str, Any]) -> dict[str, Any]:
    told = {f"celery.{name}": facts.get(name) for name in ("args", "kwargs")}
    return {key: value for key, value in told.items() if value}


@guarded
def _retried(request: Any = None, reason: Any = None, **_: Any) -> None:
    """Note why; whether it is an error is known when no try is left."""
    work = _working_on(getattr(request, "id", ""))
    if work is not None:
        cause = getattr(reason, "exc", None) or reason
        work.span.set_attribute("error.type", type(cause).__qualname__)


@guarded
def _end(task_id: str = "", state: str | None = None, **_: Any) -> None:
    work = _working_on(task_id)
    if work is None:
        return
    _WORK.set(work.outer)
    if state is None:  # an exception is on its way through, as an eager task's may be
        work.span.set_status(ERROR)
    work.span.set_attribute(STATE, state or "FAILURE")
    work.end(ok=state not in (None, "FAILURE"))


def _working_on(task_id: str) -> Work | None:
    """Return the work in hand, if it is on this task: qmon may have come in the middle of one."""
    work = _WORK.get()
    return work if work is not None and work.task_id == task_id else None


@guarded
def _leave(**_: Any) -> None:
    """End a process of the pool, whose own exit functions Celery does not run."""
    _tasks.last_words()


_RECEIVERS: dict[str, Callable[..., None]] = {
    "before_task_publish": _before_publish,
    "task_prerun": _begin,
    "task_failure": _failed,
    "task_retry": _retried,
    "task_postrun": _end,
    "worker_process_shutdown": _leave,
}

# ---------------------------------------------------------------- beat


def _due(apply: Callable[..., Any]) -> Callable[..., Any]:
    def apply_async(self: Any, entry: Any, *args: Any, **kwargs: Any) -> Any:
        started, told = perf_counter_ns(), _announce(entry)
        token = _DUE.set(told or "")
        try:
            return apply(self, entry, *args, **kwargs)
        except Exception:
            _unsent(told, perf_counter_ns() - started)
            raise
        finally:
            _DUE.reset(token)

    return apply_async


@guarded
def _announce(entry: Any) -> str:
    """Tell that an entry's run begins, and return what its worker has to know."""
    if str(entry.task).startswith(_HOUSEKEEPING):
        return ""
    check_in, monitor = _tasks.new_check_in(), str(entry.name)
    tell(monitor, IN_PROGRESS, attributes={RUN: check_in, **_schedule_of(entry.schedule)})
    return f"{check_in} {monitor}"


@guarded
def _unsent(told: str | None, duration: int) -> None:
    """Tell that it ended before it began: the broker did not take it."""
    monitor, check_in = _run_of(told)
    if monitor:
        tell(monitor, ERROR, attributes={RUN: check_in}, took=duration)


def _run_of(told: object) -> tuple[str, str]:
    """Read monitor and check-in from what beat has told; both empty for any other task."""
    check_in, _, monitor = str(told or "").partition(" ")
    return monitor, check_in


def _schedule_of(schedule: Any) -> dict[str, str]:
    """Write a schedule as our own monitors do; one by the sun has no words there."""
    from qmon_sdk.protocol.schedules import parse_schedule, schedule_text

    fields = [str(getattr(schedule, f"_orig_{name}", "")).replace(" ", "") for name in _FIELDS]
    said = " ".join(fields) if all(fields) else getattr(schedule, "run_every", None)
    if said is None:
        return {}
    try:
        parse_schedule(said)
    except ValueError:  # Celery reads more than cron does
        return {}
    timezone = str(getattr(schedule, "tz", None) or "UTC")
    told = {"schedule": schedule_text(said)}
    return told if timezone == "UTC" or not all(fields) else {**told, "timezone": timezone}
