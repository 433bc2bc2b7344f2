"""Whether anybody listens on a port of this machine, without connecting to it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from qmon_agent.domain.bounds import Port

from . import Checked, UnknownError

_LISTEN, _UNCONNECTED = "0A", "07"


class PortProbe(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Looks into the kernel's table of sockets."""

    port: Port
    """Which port."""
    protocol: Literal["tcp", "udp"] = "tcp"
    """Of which protocol."""

    @property
    def target(self) -> str:
        """Protocol and port."""
        return f"{self.protocol}/{self.port}"

    def check(self, timeout_s: float) -> Checked:  # noqa: ARG002 - two small files
        """Both versions of the internet protocol."""
        tables = [Path(f"/proc/net/{self.protocol}{version}") for version in ("", "6")]
        found = [table for table in tables if table.exists()]
        if not found:
            raise UnknownError("only Linux has a table of sockets to look into")
        state = _LISTEN if self.protocol == "tcp" else _UNCONNECTED
        for table in found:
            for line in table.read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == state and int(words[1].rpartition(":")[2], 16) == self.port:
                    return Checked()
        return Checked(problem="nobody listens", type="not_listening")
