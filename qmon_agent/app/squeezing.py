"""What the main process may have of memory, and what happens when it becomes little."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from qmon_agent.app.memory import give_back, resident_bytes
from qmon_agent.domain.ticks import until_tick
from qmon_agent.ingest.admission import Admission
from qmon_agent.ingest.shares import Level
from qmon_agent.settings import Admission as Options
from qmon_agent.vitals import Vitals

# Of the limit: where senders are slowed, where they are stopped, and how far back it has to go.
_SLOWED, _STOPPED, _BACK = 0.80, 0.92, 0.05
# Of what a control group allows, the part that is ours: the store worker is in it as well.
_OF_GROUP = 0.5
# An agent that has just been built has less; the rest is that of whoever it is built into.
_FRESH_BYTES = 128 << 20
_CHECK_S = 1.0
_HURRIED_S = 0.1


def within(options: Options) -> Options:
    """The options as they are where the machine, or the group of the agent, has less."""
    most = min(options.process_memory_bytes, round(group_limit() * _OF_GROUP))
    queue = min(options.memory_bytes, max(1 << 20, most // 12))
    return msgspec.structs.replace(
        options,
        process_memory_bytes=most,
        memory_bytes=queue if options.memory_bytes else 0,
    )


def group_limit(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """What the control group allows, or what the machine has, whichever is less."""
    there_is = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([there_is, *_limits(root, own)])


def _limits(root: Path, own: Path) -> Iterator[int]:
    """Of the group and of all above it, in either version."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base = root / "memory" if controllers else root
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        group = base / path.lstrip("/")
        for place in (group, *group.parents):
            try:
                yield int((place / name).read_text())
            except (OSError, ValueError):
                continue


def of_others() -> int:
    """What the process has already that is not the agent's; nothing, in a process of its own."""
    return max(0, resident_bytes() - _FRESH_BYTES)


class MemoryWatch:
    """Reads once a second what the process has resident, and more often when it is near."""

    def __init__(
        self,
        options: Options,
        *,
        admission: Admission,
        vitals: Vitals,
        resident: Callable[[], int] = resident_bytes,
        others: int = 0,
    ) -> None:
        """`others` is what the process had before, which the limit is not about."""
        self.limit = options.process_memory_bytes
        self.level = Level.FREE
        self._admission = admission
        self._vitals = vitals
        self._resident = resident
        self._others = others
        self._trimmed = 0.0
        admission.workroom.before_large = self.look
        self._shrink: list[Callable[[Level], None]] = []

    def tell(self, shrink: Callable[[Level], None]) -> None:
        """Who holds more than it needs is told of every change."""
        self._shrink.append(shrink)

    async def run(self) -> None:
        while True:
            self.look()
            if self.level is not Level.FREE:
                await self._give_back()
            pause_s = _CHECK_S if self.level is Level.FREE else _HURRIED_S
            await asyncio.sleep(until_tick(asyncio.get_running_loop().time(), pause_s))

    def look(self) -> None:
        """Slows or stops senders, or lets them go on."""
        resident = self._own()
        self._vitals.gauge("memory_resident_bytes", resident)
        level = self._level_at(resident / self.limit) if self.limit else Level.FREE
        if level is not self.level:
            if level > self.level:
                self._vitals.add("memory_squeezes", level=level.name.lower())
            self.level = level
            self._vitals.gauge("memory_level", level)
            self._admission.squeeze(level)
            for shrink in self._shrink:
                shrink(level)

    def describe(self) -> dict[str, Any]:
        return {
            "resident_bytes": self._own(),
            "limit_bytes": self.limit,
            "level": self.level.name.lower(),
        }

    def problems(self) -> Iterator[str]:
        if self.level is Level.FULL:
            told = "senders are told to come later"
            yield f"memory: {self._own() >> 20} of {self.limit >> 20} MiB are used; {told}"

    def _own(self) -> int:
        return max(0, self._resident() - self._others)

    def _level_at(self, part: float) -> Level:
        """Back a level only when it has become clearly less."""
        for level, line in ((Level.FULL, _STOPPED), (Level.CROWDED, _SLOWED)):
            if part >= line or (self.level >= level and part >= line - _BACK):
                return level
        return Level.FREE

    async def _give_back(self) -> None:
        """What was freed, and is kept for later, goes back to the kernel."""
        now = time.monotonic()
        if now - self._trimmed >= _CHECK_S:
            self._trimmed = now
            if self.level is Level.FULL:
                gc.collect()
            await asyncio.to_thread(give_back)
            self.look()
