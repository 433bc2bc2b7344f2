"""Programs that the program runs: a span for each, with name and exit code, never arguments."""

from __future__ import annotations

import os
from time import perf_counter_ns

from qmon_sdk.client import failed, guarded
from qmon_sdk.context import SCOPE
from qmon_sdk.propagation import inject
from qmon_sdk.recorder.cells import here, write_row
from qmon_sdk.spans import site_of
from qmon_sdk.w3c import Parent, format_parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qmon_sdk.recorder.cells import Cell

    from ._watch import Watch

_RUN = "_qmon_run"


class SubprocessIntegration:
    """Watches `Popen`, which all of `subprocess` and asyncio's own ways to run programs stand on.

    `pass_trace` gives programs the trace, in the variables `TRACEPARENT`, `TRACESTATE`, `BAGGAGE`.
    """

    def __init__(self, *, pass_trace: bool = False) -> None:
        self._pass_trace = pass_trace

    def install(self, watch: Watch) -> None:
        """Stand where a program is started, and where it is known to have ended."""
        from subprocess import Popen

        watch.wrap(Popen, "__init__", self._starting)
        watch.after(Popen, "wait", _ended)
        watch.after(Popen, "poll", _ended)
        watch.when_imported("asyncio.base_subprocess", _watch_asyncio)

    def _starting(self, init: Callable[..., None]) -> Callable[..., None]:
        pass_trace = self._pass_trace

        def __init__(process: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            run = _begin(args, kwargs)
            if run is None:
                init(process, *args, **kwargs)
                return
            if pass_trace:
                run.pass_trace(kwargs)
            try:
                init(process, *args, **kwargs)
            except BaseException as error:
                run.end(error=error)
                raise
            run.pid = process.pid
            process.__dict__[_RUN] = run

        return __init__


def _watch_asyncio(watch: Watch) -> None:
    from asyncio.base_subprocess import BaseSubprocessTransport

    watch.after(BaseSubprocessTransport, "_process_exited", _transport_ended)


def _ended(_: Any, process: Any, *__: Any, **___: Any) -> None:
    if process.returncode is not None:
        run = process.__dict__.pop(_RUN, None)
        if run is not None:
            run.end(code=process.returncode)


def _transport_ended(_: Any, transport: Any, code: int, *__: Any) -> None:
    process = getattr(transport, "_proc", None)
    run = getattr(process, "__dict__", {}).pop(_RUN, None)
    if run is not None:
        run.end(code=code)


class Run:
    """One program that runs; what it does meanwhile is not inside of this thread's span."""

    __slots__ = ("_cell", "_parent", "_program", "_started", "pid")

    def __init__(self, outer: Cell, span: int, program: str) -> None:
        self._program = program
        self._parent = outer.span
        self._cell = cell = outer.child(span)
        self.pid = 0
        if not outer.span:
            cell.begin_trace(program)
        self._started = perf_counter_ns()

    @guarded
    def pass_trace(self, kwargs: dict[str, Any]) -> None:
        """Put the trace into a copy of the environment that the program is to have."""
        cell = self._cell
        here = Parent(
            trace_id=f"{cell.trace_hi:016x}{cell.trace_lo:016x}",
            span_id=f"{cell.span:016x}",
            sampled=cell.kept,
        )
        headers = {**inject({}), "traceparent": format_parent(here)}
        given = kwargs.get("env")
        variables = {name.upper(): value for name, value in headers.items()}
        kwargs["env"] = {**(os.environ if given is None else given), **variables}

    def end(self, *, code: int | None = None, error: BaseException | None = None) -> None:
        """Record the span, with the exit code, or with why there was no program to run."""
        duration, cell = perf_counter_ns() - self._started, self._cell
        if not cell.lane.allowed:
            return
        about: dict[str, Any] = {"process.executable.name": self._program}
        if error is not None:
            about["error.type"] = type(error).__qualname__
        else:
            about |= {"process.pid": self.pid, "process.exit.code": code}
        row = (
            site_of(self._program or "subprocess", "client"), SCOPE.get(),
            "error" if error is not None or code else "unset", cell.trace_hi, cell.trace_lo,
            cell.span, self._parent, self._started, duration, about,
        )  # fmt: skip
        write_row(cell, row)


def _begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run | None:
    try:
        outer = here()
        span = next(outer.ids, 0) if outer is not None else 0
        if not span or outer is None:
            return None
        return Run(outer, span, program_of(args[0] if args else kwargs.get("args"), kwargs))
    except Exception as error:  # noqa: BLE001 - the guard, inside of somebody's call
        failed("subprocess", error)
        return None


def program_of(command: Any, options: dict[str, Any]) -> str:
    """Return the name of the program's file, and nothing of what it is told."""
    program = options.get("executable")
    if program is None and options.get("shell"):
        program = "sh"
    if program is None:
        program = command[0] if isinstance(command, list | tuple) and command else command
    if not isinstance(program, str | bytes | os.PathLike):
        return ""
    text = os.fsdecode(program)
    if program is command and isinstance(program, str):
        text = text.split(maxsplit=1)[0] if text.strip() else ""  # elsewhere, all of a command line
    return os.path.basename(text)
