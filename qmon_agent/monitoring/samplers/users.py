"""Who is logged in."""

from __future__ import annotations

from pathlib import Path

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, entries
from ._sheet import Sheet

RECORD_BYTES = 384
USER_PROCESS = 7
_MOST_BYTES = 4096 * RECORD_BYTES


class UsersSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.users`: sessions in utmp, or those systemd-logind knows where there is no utmp."""

    every_s: float = 30.0
    """Time between two looks."""
    utmp: str = "/run/utmp"
    """The file of those who are logged in."""
    sessions: str = "/run/systemd/sessions"
    """The folder in which logind notes them."""

    def sample(self, now: int) -> list[Point]:
        """How many; names are nobody's business."""
        sheet = Sheet(now, self._totals)
        try:
            with Path(self.utmp).open("rb") as file:
                count = _users_in(file.read(_MOST_BYTES))
        except OSError:
            if not Path(self.sessions).is_dir():
                raise NotHereError("nobody notes who is logged in") from None
            found = entries(self.sessions, 4096)
            count = sum(not each.name.endswith(".ref") for each in found)
        sheet.gauge("system.users", count, unit="{session}")
        return sheet.finish()


def _users_in(records: bytes) -> int:
    starts = range(0, len(records) - RECORD_BYTES + 1, RECORD_BYTES)
    return sum(records[at] == USER_PROCESS for at in starts)
