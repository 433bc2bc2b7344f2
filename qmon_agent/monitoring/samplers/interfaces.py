"""Whether the network interfaces are up, and how fast."""

from __future__ import annotations

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, entries, whole
from ._sheet import Sheet

MEGABIT = 125_000


class InterfacesSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.linux.network.up`, `.speed`, `.mtu`, `.queue.limit`, and changes of the carrier."""

    every_s: float = 10.0
    """Time between two looks."""
    ignore_interfaces: tuple[str, ...] = ("veth",)
    """Interfaces whose names begin with one of these are left out."""
    max_interfaces: int = 64
    """The most interfaces that are told apart."""

    def sample(self, now: int) -> list[Point]:
        """What each says of itself; a virtual one has no speed."""
        sheet = Sheet(now, self._totals)
        for folder in entries(f"{self.sys}/class/net", self.max_interfaces):
            if folder.name.startswith(self.ignore_interfaces) or not folder.is_dir():
                continue
            self._interface(sheet, str(folder), {"network.interface.name": folder.name})
        if not sheet.is_written:
            raise NotHereError("no network interfaces are to be seen")
        return sheet.finish()

    def _interface(self, sheet: Sheet, folder: str, of: dict[str, str]) -> None:
        state = self.text(f"{folder}/operstate").strip()
        sheet.gauge("system.linux.network.up", state in ("up", "unknown"), of=of)
        speed = whole(self.text(f"{folder}/speed").strip())
        if speed is not None and speed > 0:
            sheet.gauge("system.linux.network.speed", speed * MEGABIT, unit="By/s", of=of)
        for file, metric, unit in (
            ("mtu", "system.linux.network.mtu", "By"),
            ("tx_queue_len", "system.linux.network.queue.limit", "{packet}"),
        ):
            if (value := whole(self.text(f"{folder}/{file}").strip())) is not None:
                sheet.gauge(metric, value, unit=unit, of=of)
        changes = whole(self.text(f"{folder}/carrier_changes").strip())
        if changes is not None:
            sheet.total("system.linux.network.carrier_changes", changes, unit="{change}", of=of)
