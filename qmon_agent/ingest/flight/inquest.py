"""Gathers what can be known about a death, while it can still be known."""

from __future__ import annotations

import time
from pathlib import Path

from qmon_sdk.protocol.flight_reader import Flight

from .cgroups import Cgroups
from .exits import End
from .faults import read_fault
from .kernel_log import oom_kill_of
from .story import Death, last_sign_of
from .survey import Orphan
from .verdict import OUT_OF_MEMORY, Evidence, judge

_STAT = Path("/proc/stat")
_CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
_MARGIN_NS = 5 * 10**9
_SIGKILL = 9


def death_of(
    flight: Flight, orphan: Orphan, *, end: End | None, fault: bytes, cgroups: Cgroups
) -> Death:
    """The death of the process that left this ring; blocks a moment, for files of the kernel."""
    now = time.time_ns()
    last_sign = last_sign_of(flight, now=now)
    known = end.exit if end is not None else None
    evidence = Evidence(
        exit=known,
        fault=(said := read_fault(fault)),
        memory=cgroups.memory_of(orphan.pid),
        oom=oom_kill_of(orphan.pid, orphan.started) if _may_be_oom(orphan, end) else None,
        last=flight.samples[-1] if flight.samples else None,
        is_replaced=orphan.is_replaced,
        has_restarted=not orphan.was_watched and 0 < last_sign < _booted() - _MARGIN_NS,
        core_pattern=_core_pattern() if known is not None and known.has_core else "",
    )
    cause = judge(evidence)
    if cause.type == OUT_OF_MEMORY:
        cgroups.explain(orphan.pid)
    # Whoever died while nobody watched did so after its last sign of life, nobody knows when.
    seen = now if orphan.was_watched or not last_sign else last_sign
    at = end.time if end is not None else seen
    return Death(time=max(at, last_sign), cause=cause, fault=said)


def _may_be_oom(orphan: Orphan, end: End | None) -> bool:
    return bool(orphan.pid) and (end is None or end.exit is None or end.exit.signal == _SIGKILL)


def _booted() -> int:
    """When this machine was started, in nanoseconds since 1970; 0 where it does not say."""
    try:
        words = _STAT.read_text().split()
        return int(words[words.index("btime") + 1]) * 10**9
    except (OSError, ValueError, IndexError):
        return 0


def _core_pattern() -> str:
    try:
        return _CORE_PATTERN.read_text().strip()
    except OSError:
        return ""
