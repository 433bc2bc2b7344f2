"""How many sockets there are, and what they hold."""

from __future__ import annotations

import mmap

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel
from ._sheet import Sheet

STATES = {"inuse": "used", "orphan": "orphan", "tw": "time_wait", "alloc": "allocated"}


class SocketsSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.linux.sockets` by protocol and state, and the memory of their buffers."""

    every_s: float = 5.0
    """Time between two looks."""

    def sample(self, now: int) -> list[Point]:
        """As the kernel sums them up; nobody walks through them one by one."""
        sheet = Sheet(now, self._totals)
        for file in ("sockstat", "sockstat6"):
            for line in self.text(f"{self.proc}/net/{file}").splitlines():
                protocol, _, rest = line.partition(":")
                words = rest.split()
                values = dict(zip(words[::2], words[1::2], strict=False))
                _write(sheet, protocol.lower(), values)
        if not sheet.is_written:
            raise NotHereError(f"{self.proc}/net/sockstat is not there")
        return sheet.finish()


def _write(sheet: Sheet, protocol: str, values: dict[str, str]) -> None:
    of = {"network.protocol.name": protocol}
    if protocol == "sockets":
        sheet.gauge("system.linux.sockets.used", int(values["used"]), unit="{socket}")
        return
    for key, state in STATES.items():
        if key in values:
            told = of | {"system.linux.sockets.state": state}
            sheet.gauge("system.linux.sockets", int(values[key]), unit="{socket}", of=told)
    if "mem" in values:
        size = int(values["mem"]) * mmap.PAGESIZE
        sheet.gauge("system.linux.sockets.memory", size, unit="By", of=of)
