"""Everything else the kernel counts of IP, ICMP, TCP and UDP."""

from __future__ import annotations

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, pairs, snake
from ._netstat import read_netstat
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
        for column, value in read_netstat(self).items():
            if column in LEFT_OUT or value < 0:
                continue
            protocol, _, name = column.partition(".")
            metric = f"system.linux.netstat.{snake(protocol)}.{snake(name)}"
            sheet.total(metric, value, unit="{event}")
        for name, value in pairs(self.text(f"{self.proc}/net/snmp6")):
            sheet.total(f"system.linux.netstat.{snake(name)}", value, unit="{event}")
        if not sheet.is_written:
            raise NotHereError(f"{self.proc}/net/netstat is not there")
        return sheet.finish()
