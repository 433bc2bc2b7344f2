"""How full the file systems are, whether they may be written, and whether they answer at all."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

from qmon_agent.domain.bounds import Seconds
from qmon_sdk.protocol.signals import Point

from ._asking import Asking
from ._kernel import Kernel
from ._sheet import Sheet


class Mount(msgspec.Struct, frozen=True):
    """One line of the table of mounts."""

    device: str
    place: str
    type: str
    options: str = ""


class FilesystemSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.filesystem.*` per mount point: space, inodes, read-only, hanging."""

    every_s: float = 10.0
    """Time between two looks."""
    ignore_types: tuple[str, ...] = (
        *("autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts"),
        *("devtmpfs", "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nsfs", "overlay", "proc"),
        *("pstore", "ramfs", "rpc_pipefs", "securityfs", "squashfs", "sysfs", "tmpfs", "tracefs"),
    )
    """Types of file system that are left out."""
    max_mounts: int = 64
    """The most mount points that are told apart."""
    timeout_s: Seconds = 1.0
    """After how long one that does not answer is said to hang."""
    _asking: Asking = msgspec.field(default_factory=Asking)

    def sample(self, now: int) -> list[Point]:
        """Each device once, at the first place it is mounted on."""
        sheet = Sheet(now, self._totals)
        mounts = self._mounts()
        answers = self._asking.ask(mounts, self.timeout_s)
        for place, mount in mounts.items():
            of = {
                "system.device": mount.device,
                "system.filesystem.mountpoint": place,
                "system.filesystem.type": mount.type,
            }
            is_hanging = place in self._asking.hanging
            sheet.gauge("system.filesystem.hanging", is_hanging, of=of)
            answer = answers.get(place)
            if isinstance(answer, os.statvfs_result):
                _write(sheet, answer, of)
        return sheet.finish()

    def _mounts(self) -> dict[str, Mount]:
        found: dict[str, Mount] = {}
        devices: set[str] = set()
        for each in self._lines():
            if each.type in self.ignore_types or each.device in devices:
                continue
            if len(found) < self.max_mounts:
                devices.add(each.device)
                found[each.place] = each
        return found

    def _lines(self) -> Iterator[Mount]:
        text = self.text(f"{self.proc}/self/mounts")
        if not text:
            import psutil

            for part in psutil.disk_partitions():
                yield Mount(part.device, part.mountpoint, part.fstype, part.opts)
        for line in text.splitlines():
            words = [_plain(word) for word in line.split()[:4]]
            if len(words) > 3:  # noqa: PLR2004 - device, place, type, options
                yield Mount(*words)


def _plain(word: str) -> str:
    r"""The table writes a space as `\040`."""
    return word.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def _write(sheet: Sheet, answer: os.statvfs_result, of: dict[str, str]) -> None:
    size = answer.f_frsize
    used = answer.f_blocks - answer.f_bfree
    spaces = {
        "used": used,
        "free": answer.f_bavail,
        "reserved": answer.f_bfree - answer.f_bavail,
    }
    for state, blocks in spaces.items():
        told = of | {"system.filesystem.state": state}
        sheet.gauge("system.filesystem.usage", blocks * size, unit="By", of=told)
    sheet.gauge("system.filesystem.limit", answer.f_blocks * size, unit="By", of=of)
    if reachable := used + answer.f_bavail:
        sheet.gauge("system.filesystem.utilization", used / reachable, of=of)
    if answer.f_files:
        nodes = {"used": answer.f_files - answer.f_ffree, "free": answer.f_ffree}
        for state, count in nodes.items():
            told = of | {"system.filesystem.state": state}
            sheet.gauge("system.filesystem.inodes.usage", count, unit="{inode}", of=told)
        share = nodes["used"] / answer.f_files
        sheet.gauge("system.filesystem.inodes.utilization", share, of=of)
    sheet.gauge("system.filesystem.read_only", bool(answer.f_flag & os.ST_RDONLY), of=of)
