"""What the network interfaces carry and lose."""

from __future__ import annotations

import msgspec
import psutil

from qmon_sdk.protocol.signals import Point

from ._sheet import Sheet, Totals

COUNTERS = (
    ("system.network.io", "By", "bytes_recv", "bytes_sent"),
    ("system.network.packet.count", "{packet}", "packets_recv", "packets_sent"),
    ("system.network.errors", "{error}", "errin", "errout"),
    ("system.network.packet.dropped", "{packet}", "dropin", "dropout"),
)
"""Metric, unit, psutil's field for received, and for sent."""


class NetworkSampler(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`system.network.*` per interface and direction."""

    ignore_interfaces: tuple[str, ...] = ("veth",)
    """Interfaces whose names begin with one of these are left out."""
    max_interfaces: int = 64
    """The most interfaces that are told apart."""
    _totals: Totals = msgspec.field(default_factory=Totals)

    def sample(self, now: int) -> list[Point]:
        """Every interface but those that come and go with containers."""
        sheet = Sheet(now, self._totals)
        counters = psutil.net_io_counters(pernic=True)
        wanted = [name for name in counters if not name.startswith(self.ignore_interfaces)]
        for name in wanted[: self.max_interfaces]:
            for metric, unit, received, sent in COUNTERS:
                for direction, field in (("receive", received), ("transmit", sent)):
                    of = {"network.interface.name": name, "network.io.direction": direction}
                    sheet.total(metric, getattr(counters[name], field), unit=unit, of=of)
        return sheet.finish()
