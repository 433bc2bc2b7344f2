"""What goes wrong between machines: what is sent twice, refused, or finds no room."""

from __future__ import annotations

from functools import lru_cache

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel
from ._netstat import read_tables
from ._sheet import Sheet

TCP, UDP = "system.linux.tcp", "system.linux.udp"
TOTALS = {
    "Tcp.ActiveOpens": (f"{TCP}.opened", "{connection}"),
    "Tcp.PassiveOpens": (f"{TCP}.accepted", "{connection}"),
    "Tcp.AttemptFails": (f"{TCP}.failed", "{connection}"),
    "Tcp.EstabResets": (f"{TCP}.reset", "{connection}"),
    "Tcp.InSegs": (f"{TCP}.received", "{segment}"),
    "Tcp.OutSegs": (f"{TCP}.sent", "{segment}"),
    "Tcp.RetransSegs": (f"{TCP}.retransmits", "{segment}"),
    "Tcp.InErrs": (f"{TCP}.errors", "{segment}"),
    "Tcp.OutRsts": (f"{TCP}.resets_sent", "{segment}"),
    "TcpExt.ListenOverflows": (f"{TCP}.listen_overflows", "{connection}"),
    "TcpExt.ListenDrops": (f"{TCP}.listen_drops", "{connection}"),
    "TcpExt.TCPTimeouts": (f"{TCP}.timeouts", "{timeout}"),
    "TcpExt.TCPSynRetrans": (f"{TCP}.syn_retransmits", "{segment}"),
    "TcpExt.SyncookiesSent": (f"{TCP}.syncookies_sent", "{cookie}"),
    "TcpExt.TCPBacklogDrop": (f"{TCP}.backlog_drops", "{segment}"),
    "TcpExt.TCPOFOQueue": (f"{TCP}.out_of_order", "{segment}"),
    "TcpExt.PruneCalled": (f"{TCP}.prunes", "{prune}"),
    "TcpExt.TCPMemoryPressures": (f"{TCP}.memory_pressures", "{event}"),
    "TcpExt.TCPAbortOnMemory": (f"{TCP}.aborts_on_memory", "{connection}"),
    "Udp.InDatagrams": (f"{UDP}.received", "{datagram}"),
    "Udp.OutDatagrams": (f"{UDP}.sent", "{datagram}"),
    "Udp.InErrors": (f"{UDP}.errors", "{datagram}"),
    "Udp.NoPorts": (f"{UDP}.no_port", "{datagram}"),
    "Udp.RcvbufErrors": (f"{UDP}.receive_buffer_errors", "{datagram}"),
    "Udp.SndbufErrors": (f"{UDP}.send_buffer_errors", "{datagram}"),
}
"""Line and column of the kernel's tables → metric and unit."""
ESTABLISHED = "Tcp.CurrEstab"


class ProtocolsSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.linux.tcp.*` and `.udp.*`: traffic, retransmits, overflows, errors."""

    def sample(self, now: int) -> list[Point]:
        """Those that tell of trouble; `netstat` has the others."""
        sheet = Sheet(now, self._totals)
        for protocol, names, values in read_tables(self):
            for at, column in _wanted(protocol, names):
                if column == ESTABLISHED:
                    sheet.gauge(f"{TCP}.established", int(values[at]), unit="{connection}")
                else:
                    metric, unit = TOTALS[column]
                    sheet.total(metric, int(values[at]), unit=unit)
        if not sheet.is_written:
            raise NotHereError(f"{self.proc}/net/snmp is not there")
        return sheet.finish()


@lru_cache(64)
def _wanted(protocol: str, names: str) -> tuple[tuple[int, str], ...]:
    """Where in the line they are; the kernel never moves them while it runs."""
    columns = enumerate(f"{protocol}.{name}" for name in names.split())
    return tuple((at, each) for at, each in columns if each in TOTALS or each == ESTABLISHED)
