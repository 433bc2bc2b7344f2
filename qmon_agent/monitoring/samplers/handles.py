"""What the kernel has only so many of: open files, inodes, processes, randomness."""

from __future__ import annotations

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, whole
from ._sheet import Sheet

NAMED = {
    "kernel/random/entropy_avail": ("system.linux.entropy.available", "{bit}"),
    "kernel/random/poolsize": ("system.linux.entropy.limit", "{bit}"),
    "kernel/pid_max": ("system.linux.process.id.limit", "{process}"),
    "kernel/threads-max": ("system.linux.threads.limit", "{thread}"),
    "fs/aio-nr": ("system.linux.aio.usage", "{request}"),
    "fs/aio-max-nr": ("system.linux.aio.limit", "{request}"),
    "vm/overcommit_memory": ("system.linux.memory.overcommit", "1"),
}
"""File under `/proc/sys` → metric and unit."""


class HandlesSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.linux.files.*`, `.inodes.*`, `.entropy.*`: what is used of what there is."""

    every_s: float = 5.0
    """Time between two looks."""

    def sample(self, now: int) -> list[Point]:
        """Open files with their limit first."""
        sheet = Sheet(now, self._totals)
        files = [*map(whole, self.text(f"{self.proc}/sys/fs/file-nr").split())]
        match files:
            case [int(used), int(free), int(limit)]:
                sheet.gauge("system.linux.files.usage", used - free, unit="{file}")
                sheet.gauge("system.linux.files.limit", limit, unit="{file}")
                sheet.gauge("system.linux.files.utilization", (used - free) / max(1, limit))
        nodes = [*map(whole, self.text(f"{self.proc}/sys/fs/inode-nr").split())]
        match nodes:
            case [int(all_of_them), int(free)]:
                used = all_of_them - free
                sheet.gauge("system.linux.inodes.usage", used, unit="{inode}")
                sheet.gauge("system.linux.inodes.free", free, unit="{inode}")
        for file, (metric, unit) in NAMED.items():
            if (value := whole(self.text(f"{self.proc}/sys/{file}").strip())) is not None:
                sheet.gauge(metric, value, unit=unit)
        if not sheet.is_written:
            raise NotHereError(f"{self.proc}/sys is not there")
        return sheet.finish()
