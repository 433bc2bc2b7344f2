"""What each process costs that the SDK is in, as the host sees it."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Iterator
from pathlib import Path

import msgpack
import msgspec

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol import flight
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, entries
from ._process import Stat, read_stat, write_details
from ._sheet import Sheet, Totals

SECOND = 1_000_000_000
_MOST_RINGS = 4096
_MAX_NAME = 128
_OWN = "qmon-"
_OTHERS_MAY_WRITE = modes.S_IWGRP | modes.S_IWOTH


class InstrumentedSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`process.*` of every process with a flight ring: processor, memory, threads, files, disk."""

    shared: str = "/dev/shm"  # noqa: S108 - every folder in it is checked before it is believed
    """Where the folders of rings are."""
    max_processes: int = 64
    """The most processes that are told apart."""
    look_every_s: float = 5.0
    """Time between two looks for processes that are new, and at what is dearer to know."""
    _found: dict[int, tuple[Stat, str]] = msgspec.field(default_factory=dict)
    _details: Totals = msgspec.field(default_factory=Totals)
    _due: int = 0
    _written: int = 0

    def sample(self, now: int) -> list[Point]:
        """Those that are there; a process that ended is told of by the reader of its ring."""
        every = round(self.look_every_s * SECOND)
        is_due = not 0 < self._due - now <= every
        if is_due:
            self._due = now + every
            self._found = dict(self._look())
        if not self._found:
            raise NotHereError("no process with the SDK has a ring here")
        points = self._write(now)
        if is_due:
            sheet = Sheet(now, self._details)
            for each, service in self._found.values():
                write_details(sheet, each, proc=self.proc, of=_named(each, service))
            points += sheet.finish()
        return points

    def _write(self, now: int) -> list[Point]:
        sheet = Sheet(now, self._totals)
        passed_s = (now - self._written) / SECOND
        self._written = now
        for pid, (known, service) in self._found.items():
            each = read_stat(self.proc, pid)
            if each is None or each.started != known.started:
                continue
            of = _named(each, service)
            growth = sheet.total("process.cpu.time", each.cpu_s, unit="s", of=of)
            if growth is not None and passed_s > 0:
                sheet.gauge("process.cpu.utilization", growth / passed_s, of=of)
            sheet.gauge("process.memory.usage", each.rss, unit="By", of=of)
        return sheet.finish()

    def _look(self) -> Iterator[tuple[int, tuple[Stat, str]]]:
        found: set[int] = set()
        for folder in entries(self.shared, _MOST_RINGS):
            if not folder.name.startswith(_OWN) or not _is_private(folder):
                continue
            for ring in entries(str(folder), _MOST_RINGS):
                head = _head(ring) if ring.name.endswith(flight.SUFFIX) else b""
                pid, started = _word(head, flight.PID), _word(head, flight.STARTED)
                each = read_stat(self.proc, pid) if _is_flying(head) and pid not in found else None
                # A ring may outlive its process, whose number another one has by now.
                if each is not None and each.started == started and len(found) < self.max_processes:
                    found.add(pid)
                    yield pid, (each, _service(head))


def _is_private(folder: Path) -> bool:
    """Only what its user alone can have written is believed."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return modes.S_ISDIR(status.st_mode) and not status.st_mode & _OTHERS_MAY_WRITE


def _head(ring: Path) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(ring, flags)
    except OSError:
        return b""
    try:
        is_plain = modes.S_ISREG(os.fstat(descriptor).st_mode)
        return os.pread(descriptor, flight.HEAD_BYTES, 0) if is_plain else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _is_flying(head: bytes) -> bool:
    is_whole = len(head) == flight.HEAD_BYTES and head.startswith(flight.MAGIC)
    return is_whole and _word(head, flight.STATE) == flight.FLYING


def _word(head: bytes, at: int) -> int:
    return int(flight.WORD.unpack_from(head, at)[0]) if len(head) == flight.HEAD_BYTES else 0


def _service(head: bytes) -> str:
    """The first field of the resource; a ring is written by a stranger, and may say anything."""
    (length,) = flight.LENGTH.unpack_from(head, flight.RESOURCE_AT)
    begin = flight.RESOURCE_AT + flight.LENGTH.size
    if length > flight.RESOURCE_BYTES - flight.LENGTH.size:
        return ""
    try:
        said = msgpack.unpackb(head[begin : begin + length])
    except (ValueError, msgpack.UnpackException):
        return ""
    is_named = isinstance(said, list) and said and isinstance(said[0], str)
    return said[0][:_MAX_NAME] if is_named else ""


def _named(each: Stat, service: str) -> dict[str, str]:
    of = {"process.pid": str(each.pid), "process.executable.name": each.name}
    return of | ({"service.name": service} if service else {})
