"""What the network interfaces carry and lose, and whether they are up."""

from __future__ import annotations

from collections.abc import Iterator

from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel
from ._sheet import Sheet

FIELDS = ("bytes", "packets", "err", "drop", "fifo", "frame", "compressed", "multicast")
SENT = ("bytes", "packets", "err", "drop", "fifo", "colls", "carrier", "compressed")
"""The columns of `/proc/net/dev`, first of what came, then of what went."""
COUNTERS = (
    ("system.network.io", "By", "bytes"),
    ("system.network.packet.count", "{packet}", "packets"),
    ("system.network.errors", "{error}", "err"),
    ("system.network.packet.dropped", "{packet}", "drop"),
    ("system.linux.network.fifo_errors", "{error}", "fifo"),
    ("system.linux.network.frame_errors", "{error}", "frame"),
    ("system.linux.network.collisions", "{collision}", "colls"),
    ("system.linux.network.carrier_losses", "{loss}", "carrier"),
    ("system.linux.network.multicast", "{packet}", "multicast"),
)
"""Metric, unit, column."""
PORTABLE = {
    "receive": ("bytes_recv", "packets_recv", "errin", "dropin"),
    "transmit": ("bytes_sent", "packets_sent", "errout", "dropout"),
}
Counters = dict[str, dict[str, int]]


class NetworkSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.network.*` per interface and direction."""

    ignore_interfaces: tuple[str, ...] = ("veth",)
    """Interfaces whose names begin with one of these are left out."""
    max_interfaces: int = 64
    """The most interfaces that are told apart."""

    def sample(self, now: int) -> list[Point]:
        """Every interface but those that come and go with containers."""
        sheet = Sheet(now, self._totals)
        text = self.text(f"{self.proc}/net/dev")
        found = _read(text) if text else _asked()
        wanted = [each for each in found if not each[0].startswith(self.ignore_interfaces)]
        for name, ways in wanted[: self.max_interfaces]:
            for way, counters in ways.items():
                of = {"network.interface.name": name, "network.io.direction": way}
                for metric, unit, column in COUNTERS:
                    if column in counters:
                        sheet.total(metric, counters[column], unit=unit, of=of)
        return sheet.finish()


def _read(text: str) -> Iterator[tuple[str, Counters]]:
    for line in text.splitlines():
        name, colon, rest = line.rpartition(":")
        if not colon:
            continue
        values = [*map(int, rest.split())]
        came = dict(zip(FIELDS, values, strict=False))
        went = dict(zip(SENT, values[len(FIELDS) :], strict=False))
        yield name.strip(), {"receive": came, "transmit": went}


def _asked() -> Iterator[tuple[str, Counters]]:
    import psutil

    for name, counters in psutil.net_io_counters(pernic=True).items():
        yield (
            name,
            {
                way: {
                    column: getattr(counters, field)
                    for (_, _, column), field in zip(COUNTERS, fields, strict=False)
                }
                for way, fields in PORTABLE.items()
            },
        )
