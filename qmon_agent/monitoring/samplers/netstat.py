"""Everything else the kernel counts of IP, ICMP, TCP and UDP."""

from __future__ import annotations

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, pairs, snake
from ._netstat import columns_of, read_tables
from ._sheet import Sheet
from .protocols import ESTABLISHED, TOTALS

SETTINGS = {"Tcp.RtoAlgorithm", "Tcp.RtoMin", "Tcp.RtoMax", "Tcp.MaxConn"}
LEFT_OUT = {*TOTALS, *SETTINGS, ESTABLISHED, "Ip.DefaultTTL", "Ip.Forwarding"}


class NetstatSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.linux.netstat.*`, one metric for each column not told by `protocols`."""

    every_s: float = 10.0
    """Time between two looks."""

    def sample(self, now: int) -> list[Point]:
        """All of them by their growth."""
        sheet = Sheet(now, self._totals)
        for protocol, names, values in read_tables(self):
            for (name, plain), value in zip(columns_of(names), values, strict=False):
                if f"{protocol}.{name}" not in LEFT_OUT and not value.startswith("-"):
                    metric = f"system.linux.netstat.{protocol.lower()}.{plain}"
                    sheet.total(metric, int(value), unit="{event}")
        for name, count in pairs(self.text(f"{self.proc}/net/snmp6")):
            sheet.total(f"system.linux.netstat.{snake(name)}", count, unit="{event}")
        if not sheet.is_written:
            raise NotHereError(f"{self.proc}/net/netstat is not there")
        return sheet.finish()
