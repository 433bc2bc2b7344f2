"""What systemd's services use, and are held back by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._cgroup import Group, root_of
from ._kernel import Kernel, entries
from ._sheet import Sheet

_MOST_ENTRIES = 4096


class ServicesSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`systemd.service.*` per service: processor time, memory, throttling, kills."""

    every_s: float = 10.0
    """Time between two looks."""
    max_services: int = 128
    """The most services that are told apart."""

    def sample(self, now: int) -> list[Point]:
        """Those of the system's slice, and of slices within it."""
        sheet = Sheet(now, self._totals)
        root = root_of(self)
        if not root:
            raise NotHereError("no control groups of the second version")
        found = [*_services(f"{root}/system.slice")][: self.max_services]
        for folder in found:
            group = Group(self, str(folder), prefix="systemd.service")
            group.write(sheet, {"systemd.unit": folder.name})
        if not found:
            raise NotHereError("systemd runs no service here")
        return sheet.finish()


def _services(place: str) -> Iterator[Path]:
    for folder in entries(place, _MOST_ENTRIES):
        if folder.name.endswith(".service"):
            yield folder
        elif folder.name.endswith(".slice"):
            inside = entries(str(folder), _MOST_ENTRIES)
            yield from (each for each in inside if each.name.endswith(".service"))
