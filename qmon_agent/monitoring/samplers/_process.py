"""One process as the kernel tells it: the cheap line, and what is dearer."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator

import msgspec

from ._sheet import Sheet

_CHUNK = 4096
_PAGE = mmap.PAGESIZE
TICK_S = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01


class Stat(msgspec.Struct, frozen=True):
    """What `/proc/PID/stat` says that is worth it."""

    pid: int
    name: str
    state: str
    user_s: float
    system_s: float
    threads: int
    started: int
    size: int
    rss: int

    @property
    def cpu_s(self) -> float:
        """Of both kinds."""
        return self.user_s + self.system_s


def pids_in(proc: str) -> Iterator[int]:
    """Every process there is."""
    try:
        names = os.listdir(proc)  # noqa: PTH208 - Path would cost more than the reading
    except OSError:
        return
    yield from (int(name) for name in names if name.isdigit())


def read_stat(proc: str, pid: int) -> Stat | None:
    """The cheap line; nothing where the process is gone."""
    line = _read(f"{proc}/{pid}/stat")
    # The name may hold anything, brackets and blanks too: what follows begins behind the last one.
    head, _, tail = line.rpartition(b")")
    words = tail.split()
    try:
        return Stat(
            pid=pid,
            name=head.partition(b"(")[2].decode("utf-8", "replace"),
            state=words[0].decode(),
            user_s=int(words[11]) * TICK_S,
            system_s=int(words[12]) * TICK_S,
            threads=int(words[17]),
            started=int(words[19]),
            size=int(words[20]),
            rss=int(words[21]) * _PAGE,
        )
    except (IndexError, ValueError):
        return None


def write_details(sheet: Sheet, stat: Stat, *, proc: str, of: dict[str, str]) -> None:
    """Threads, files, disk and switches; what is not ours to read is left out."""
    sheet.gauge("process.thread.count", stat.threads, unit="{thread}", of=of)
    folder = f"{proc}/{stat.pid}"
    try:
        files = len(os.listdir(f"{folder}/fd"))  # noqa: PTH208 - as above
        sheet.gauge("process.unix.file_descriptor.count", files, unit="{file_descriptor}", of=of)
    except OSError:
        pass
    done = _read(f"{folder}/io")
    for way in ("read", "write"):
        if (size := _number(done, f"\n{way}_bytes:")) is not None:
            told = of | {"disk.io.direction": way}
            sheet.total("process.disk.io", size, unit="By", of=told)
    status = _read(f"{folder}/status")
    for kind in ("voluntary", "nonvoluntary"):
        if (count := _number(status, f"\n{kind}_ctxt_switches:")) is not None:
            told = of | {"process.context_switch.type": kind.replace("non", "in")}
            sheet.total("process.context_switches", count, unit="{context_switch}", of=told)


def _number(text: bytes, key: str) -> int | None:
    """One line of sixty: to look for it is cheaper than to read them all."""
    _, found, rest = text.partition(key.encode())
    try:
        return int(rest[: rest.find(b"\n")]) if found else None
    except ValueError:
        return None


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _CHUNK)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
