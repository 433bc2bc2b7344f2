"""How full the firewall's table of connections is."""

from __future__ import annotations

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, whole
from ._sheet import Sheet

COLUMNS = ("drop", "early_drop", "insert_failed", "invalid", "search_restart", "found")


class ConntrackSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.linux.conntrack.*`: entries, their limit, and what found no place."""

    every_s: float = 5.0
    """Time between two looks."""

    def sample(self, now: int) -> list[Point]:
        """Nothing where no firewall keeps track."""
        sheet = Sheet(now, self._totals)
        folder = f"{self.proc}/sys/net/netfilter"
        count = whole(self.text(f"{folder}/nf_conntrack_count").strip())
        limit = whole(self.text(f"{folder}/nf_conntrack_max").strip())
        if count is None or limit is None:
            raise NotHereError("nobody keeps track of connections")
        sheet.gauge("system.linux.conntrack.usage", count, unit="{entry}")
        sheet.gauge("system.linux.conntrack.limit", limit, unit="{entry}")
        if limit:
            sheet.gauge("system.linux.conntrack.utilization", count / limit)
        self._statistics(sheet)
        return sheet.finish()

    def _statistics(self, sheet: Sheet) -> None:
        lines = self.text(f"{self.proc}/net/stat/nf_conntrack").splitlines()
        rows = [line.split() for line in lines]
        for column in COLUMNS:
            if rows and column in rows[0]:
                at = rows[0].index(column)
                total = sum(int(row[at], 16) for row in rows[1:])
                sheet.total(f"system.linux.conntrack.{column}", total, unit="{event}")
