"""What a process died of, as far as the evidence goes: pure, and never more certain than that."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import msgspec

from qmon_sdk.protocol.flight_reader import Sample

from .cgroups import Memory
from .exits import Exit
from .faults import Fault
from .kernel_log import OomKill

_MIB = 1 << 20
_NEARLY = 0.9

# Signal → the error's type, and what happened in words.
FAULTS: dict[int, tuple[str, str]] = {
    signal.SIGSEGV: ("SegmentationFault", "segmentation fault (SIGSEGV)"),
    signal.SIGBUS: ("BusError", "bus error (SIGBUS)"),
    signal.SIGFPE: ("ArithmeticFault", "arithmetic fault (SIGFPE)"),
    signal.SIGILL: ("IllegalInstruction", "illegal instruction (SIGILL)"),
    signal.SIGABRT: ("Aborted", "aborted (SIGABRT)"),
    signal.SIGSYS: ("ForbiddenSystemCall", "forbidden system call (SIGSYS)"),
    signal.SIGXCPU: ("CpuTimeExceeded", "killed by SIGXCPU (its CPU time was used up)"),
    signal.SIGXFSZ: ("FileSizeExceeded", "killed by SIGXFSZ (a file became too large)"),
}
# Asked to go, and without a handler for it: no crash, and of interest only in the middle of work.
REQUESTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
OUT_OF_MEMORY, EXITED, VANISHED = "OutOfMemory", "ExitedAbruptly", "Vanished"
RESTARTED, REPLACED = "HostRestarted", "ReplacedByExec"


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What could be found out about a death."""

    exit: Exit | None = None
    fault: Fault | None = None
    memory: Memory = Memory()
    oom: OomKill | None = None
    last: Sample | None = None
    """The last sample that the process took of itself."""
    is_replaced: bool = False
    """It called `exec`: another program goes on in its place."""
    has_restarted: bool = False
    """The machine has started anew since the process last gave a sign of life."""
    core_pattern: str = ""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What it died of."""

    type: str
    message: str
    is_crash: bool = True
    """Told in any case; what is none is told only if something was cut off by it."""
    level: str = "fatal"
    session: str = "crashed"
    """How the sessions ended that were open."""
    signal: str = ""
    code: int | None = None
    evidence: tuple[str, ...] = ()


def judge(evidence: Evidence) -> Cause:
    """The cause that the evidence speaks for."""
    known = evidence.exit
    number = known.signal if known else evidence.fault.signal if evidence.fault else 0
    return msgspec.structs.replace(
        _verdict(evidence),
        signal=Exit(signal=number).name if number else "",
        code=known.code if known else None,
        evidence=tuple(_told(evidence)),
    )


def _verdict(evidence: Evidence) -> Cause:
    if evidence.is_replaced:
        return _gentle(REPLACED, "replaced by another program (exec)", level="info")
    if _was_out_of_memory(evidence):
        message = f"killed by SIGKILL (out of memory: {_shortage(evidence)})"
        return Cause(type=OUT_OF_MEMORY, message=message)
    if evidence.exit is not None:
        return _of_exit(evidence.exit)
    return _of_fault(evidence.fault) if evidence.fault is not None else _unseen(evidence)


def _unseen(evidence: Evidence) -> Cause:
    """Nobody saw it end, and it said nothing."""
    if evidence.has_restarted:
        message = "ended with its machine, which has restarted since"
        return Cause(type=RESTARTED, message=message)
    message = f"cause unknown: SIGKILL or os._exit{_suspicion(evidence)}"
    return Cause(type=VANISHED, message=message)


def _gentle(kind: str, message: str, *, level: str) -> Cause:
    return Cause(type=kind, message=message, is_crash=False, level=level, session="abnormal")


def _was_out_of_memory(evidence: Evidence) -> bool:
    if evidence.fault is not None and evidence.exit is None:
        return False
    may_be = evidence.exit is None or evidence.exit.signal == signal.SIGKILL
    return may_be and (evidence.oom is not None or evidence.memory.was_killed)


def _shortage(evidence: Evidence) -> str:
    if evidence.oom is not None and not evidence.oom.by_cgroup:
        return "the machine had none left"
    if limit := evidence.memory.limit:
        return f"cgroup limit of {mib(limit)}"
    return "the limit of its cgroup"


def _of_exit(known: Exit) -> Cause:
    if known.code is not None:
        message = f"ended by os._exit({known.code})"
        if known.code:
            return Cause(type=EXITED, message=message)
        return _gentle(EXITED, message, level="error")
    if known.signal in REQUESTS:
        message = f"terminated by {known.name}"
        return _gentle(f"TerminatedBy{known.name}", message, level="warning")
    if named := FAULTS.get(known.signal):
        return Cause(type=named[0], message=named[1])
    name = known.name if known.name.startswith("SIG") else f"Signal{known.signal}"
    return Cause(type=f"KilledBy{name}", message=f"killed by {known.name}")


def _of_fault(fault: Fault) -> Cause:
    if fault.signal:
        return _of_exit(Exit(signal=fault.signal))
    return Cause(type="FatalError", message=f"fatal error: {fault.said}")


def _suspicion(evidence: Evidence) -> str:
    """What its weight hints at, where nothing else does."""
    limit, last = evidence.memory.limit, evidence.last
    if limit and last is not None and last.rss >= _NEARLY * limit:
        return f"; it held {mib(last.rss)} of {mib(limit)} allowed, so memory may have run out"
    return ""


def _told(evidence: Evidence) -> Iterator[str]:
    """What the verdict rests on, the strongest first."""
    yield from _told_by_the_kernel(evidence)
    if evidence.fault is not None:
        yield f"faulthandler: {evidence.fault.said}"
    if evidence.is_replaced:
        yield "the process lives on, and has let go of its ring"
    if evidence.has_restarted:
        yield "the machine was started after the last sign of life"
    if evidence.memory.limit:
        yield f"memory limit {mib(evidence.memory.limit)}"
    if evidence.last is not None:
        yield f"last sample {mib(evidence.last.rss)} resident"


def _told_by_the_kernel(evidence: Evidence) -> Iterator[str]:
    if (known := evidence.exit) is not None:
        how = known.name if known.signal else f"exit code {known.code}"
        yield f"{how} ({known.source})"
        if known.has_core:
            yield f"core dumped (core_pattern: {evidence.core_pattern or 'unknown'})"
    elif not evidence.is_replaced:
        yield "exit status unknown"
    if evidence.oom is not None:
        yield f"kernel log: {evidence.oom.line}"
    if evidence.memory.was_killed:
        yield f"oom_kill counter of {evidence.memory.path} rose"


def mib(size: int) -> str:
    return f"{size / _MIB:.0f} MiB" if size >= _MIB else f"{size >> 10} KiB"
