"""What the agent's own control group may use, uses, and is held back by."""

from __future__ import annotations

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._cgroup import Group, root_of
from ._kernel import Kernel
from ._sheet import Sheet


class CgroupSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.linux.cgroup.*` of the agent's own group: limits, throttling, kills, pressure."""

    every_s: float = 5.0
    """Time between two looks."""

    def sample(self, now: int) -> list[Point]:
        """Control groups of the second version only."""
        sheet = Sheet(now, self._totals)
        root, path = root_of(self), _own(self.text(f"{self.proc}/self/cgroup"))
        if not root or path is None:
            raise NotHereError("no control groups of the second version")
        group = Group(self, f"{root}{path.rstrip('/')}", prefix="system.linux.cgroup")
        group.write(sheet, {"system.linux.cgroup.path": path}, with_pressure=True)
        if not sheet.is_written:
            raise NotHereError("the agent is in no control group of its own")
        return sheet.finish()


def _own(text: str) -> str | None:
    """`0::/path`, beside which there may be lines of the first version."""
    paths = [line.removeprefix("0::") for line in text.splitlines() if line.startswith("0::")]
    return paths[0] if paths else None
