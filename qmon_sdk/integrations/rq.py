"""RQ: jobs are spans of the trace that enqueued them, and nothing is lost with the work horse."""

from __future__ import annotations

from qmon_sdk.client import guarded
from qmon_sdk.propagation import continue_trace, inject
from qmon_sdk.recorder.cells import position

from . import _tasks
from ._tasks import Work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._watch import Watch

SYSTEM = "rq"
META = "qmon"
"""Under which key of `job.meta` the trace goes along."""

_WORK = "_qmon_work"
"""Under which name of a job's own its work stands, for those to find who see it fail."""

FUNCTION, LEFT = "rq.function", "rq.retries_left"


class RqIntegration:
    """Watches queues, and workers of every kind: forking, spawning, simple."""

    def install(self, watch: Watch) -> None:
        """Wait for the parts."""
        watch.when_imported("rq.queue", _watch_queues)
        watch.when_imported("rq.job", _watch_jobs)
        watch.when_imported("rq.worker", _watch_workers)


def _watch_queues(watch: Watch) -> None:
    from rq.queue import Queue

    watch.after(Queue, "create_job", _remember)
    watch.wrap(Queue, "_enqueue_job", _enqueued)
    watch.wrap(Queue, "run_sync", _run_at_once)


def _watch_jobs(watch: Watch) -> None:
    from rq.job import Job

    watch.wrap(Job, "perform", _performed)


def _watch_workers(watch: Watch) -> None:
    from rq.worker import Worker

    for name, wrapper in (("perform_job", _worked), ("handle_exception", _handled)):
        watch.wrap(next(each for each in Worker.__mro__ if name in vars(each)), name, wrapper)


# ---------------------------------------------------------------- sending


def _remember(job: Any, *_: Any, **__: Any) -> None:
    """Write down where a job was made: a scheduler may enqueue it long after, somewhere else."""
    if position()[0]:
        job.meta[META] = dict(inject())


def _enqueued(enqueue: Callable[..., Any]) -> Callable[..., Any]:
    def _enqueue_job(self: Any, job: Any, *args: Any, **kwargs: Any) -> Any:
        told = None if position()[0] else _told(job)
        with continue_trace(told), _tasks.sending(SYSTEM, _name_of(job), **_facts_of(job)) as sent:
            if sent.is_recording():
                _tell(job)
            return enqueue(self, job, *args, **kwargs)

    return _enqueue_job


@guarded
def _tell(job: Any) -> None:
    job.meta[META] = dict(inject())


def _told(job: Any) -> dict[str, str] | None:
    told = job.meta.get(META) if isinstance(job.meta, dict) else None
    return told if isinstance(told, dict) else None


def _name_of(job: Any) -> str:
    """Name what it calls; a job whose function cannot be read has none."""
    try:
        return str(job.func_name)
    except Exception as error:  # noqa: BLE001 - it unpickles, and anything may be in there
        return f"({type(error).__name__})"


def _facts_of(job: Any) -> dict[str, Any]:
    facts = {
        _tasks.MESSAGE: job.id,
        _tasks.DESTINATION: job.origin,
        FUNCTION: _name_of(job),
        LEFT: getattr(job, "retries_left", None),
    }
    return {key: value for key, value in facts.items() if value}


# ---------------------------------------------------------------- working


def _worked(perform: Callable[..., Any]) -> Callable[..., Any]:
    def perform_job(self: Any, job: Any, *args: Any, **kwargs: Any) -> Any:
        work = _begin(job, _told(job))
        try:
            return perform(self, job, *args, **kwargs)
        finally:
            _end(job, work)
            if getattr(self, "_is_horse", False):  # it ends by `os._exit`
                _leave()

    return perform_job


def _run_at_once(run: Callable[..., Any]) -> Callable[..., Any]:
    def run_sync(self: Any, job: Any, *args: Any, **kwargs: Any) -> Any:
        work = _begin(job, None)
        try:
            return run(self, job, *args, **kwargs)
        finally:
            _end(job, work)

    return run_sync


@guarded
def _begin(job: Any, carrier: dict[str, str] | None) -> Work:
    work = Work(job.id, {_tasks.SYSTEM: SYSTEM, **_facts_of(job)})
    work.begin(_name_of(job), carrier)
    job.__dict__[_WORK] = work
    return work


@guarded
def _end(job: Any, work: Work | None) -> None:
    if work is not None:
        job.__dict__.pop(_WORK, None)
        work.end(ok=True)


@guarded
def _leave() -> None:
    _tasks.last_words()


def _performed(perform: Callable[..., Any]) -> Callable[..., Any]:
    def _perform(self: Any) -> Any:
        try:
            return perform(self)
        except Exception as error:
            _fail(self, error)
            raise

    return _perform


def _handled(handle: Callable[..., Any]) -> Callable[..., Any]:
    def handle_exception(self: Any, job: Any, *exc_info: Any) -> Any:
        if len(exc_info) > 1:
            _fail(job, exc_info[1])
        return handle(self, job, *exc_info)

    return handle_exception


@guarded
def _fail(job: Any, error: BaseException | None) -> None:
    """Keep what a job died of, its callbacks and the writing of its result included."""
    work = job.__dict__.get(_WORK) or Work(job.id, {_tasks.SYSTEM: SYSTEM, **_facts_of(job)})
    work.fail(error, _arguments(job))


def _arguments(job: Any) -> dict[str, Any]:
    try:
        told = {"rq.args": job.args, "rq.kwargs": job.kwargs}
    except Exception:  # noqa: BLE001 - as above, and what is wrong with them is being told
        return {}
    return {key: value for key, value in told.items() if value}
