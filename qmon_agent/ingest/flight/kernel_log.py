"""What the kernel wrote about a process that it killed for want of memory."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import msgspec

_LOG = "/dev/kmsg"
# `6,1234,5678901234,-;Memory cgroup out of memory: Killed process 4711 (python) total-vm:...`
_RECORD = re.compile(rb"^\d+,\d+,(\d+),[^;]*;(.*)")
_KILLED = re.compile(
    rb"(Memory cgroup out of memory|Out of memory)[^:]*: Kill(?:ed)? process (\d+) \((.*?)\)(.*)"
)
_ANON = re.compile(rb"anon-rss:(\d+)kB")
_RECORD_BYTES = 8_192
_MOST_RECORDS = 100_000
_TICKS = os.sysconf("SC_CLK_TCK")


class OomKill(msgspec.Struct, frozen=True, kw_only=True):
    """One such line: whether a cgroup's limit was to blame, and what the process held."""

    by_cgroup: bool
    rss: int = 0
    line: str = ""


def oom_kill_of(pid: int, started: int) -> OomKill | None:
    """The line about this process, which began at `started` ticks; none that is older counts.

    Only root may read the log, and a process of another namespace has another number there.
    """
    return oom_kill_in(_records(), pid, started)


def oom_kill_in(records: Sequence[bytes], pid: int, started: int) -> OomKill | None:
    """The same, in these records."""
    found = None
    for record in records:
        if (parsed := _RECORD.match(record)) is None:
            continue
        microseconds, text = parsed.groups()
        killed = _KILLED.search(text)
        if killed is None or int(killed[2]) != pid:
            continue
        if int(microseconds) / 1e6 >= started / _TICKS - 1:
            found = _kill(killed, text)
    return found


def _kill(killed: re.Match[bytes], text: bytes) -> OomKill:
    held = _ANON.search(killed[4])
    return OomKill(
        by_cgroup=killed[1].startswith(b"Memory cgroup"),
        rss=int(held[1]) << 10 if held else 0,
        line=text.decode("utf-8", "replace")[:300],
    )


def _records() -> list[bytes]:
    records: list[bytes] = []
    try:
        log = os.open(_LOG, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return records
    try:
        while len(records) < _MOST_RECORDS:
            try:
                records.append(os.read(log, _RECORD_BYTES))
            except BrokenPipeError:
                continue  # overwritten while we read; the next one is there
            except OSError:
                break  # nothing more
    finally:
        os.close(log)
    return records
