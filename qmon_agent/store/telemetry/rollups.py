"""The tables of rollups: of each raw table that is rolled up, one for every tier.

The rows of a segment are rolled up once, into a file for each tier, and the list of segments says
so in the same change: what is not rolled up yet is rolled up while it is asked for.
"""

from __future__ import annotations

import msgspec

from qmon_agent.domain.tiers import ROLLED, WIDTHS
from qmon_sdk.protocol.signals import NO_BUCKETS, NO_LABELS

from .schema import BY_NAME, Table, TableColumn

PARTS = "_parts"
"""Behind the name of a rollup: its rows as they were written, several for one series and time."""
ROLES_OF_KEYS = {"attributes": TableColumn("attributes", "Labels", NO_LABELS)}

VALUES = {
    "points": (
        TableColumn("points", "Whole", 0),
        TableColumn("sum", "Number", 0.0),
        TableColumn("count", "Whole", 0),
        TableColumn("minimum", "Number", 0.0),
        TableColumn("maximum", "Number", 0.0),
        TableColumn("last", "Number", 0.0),
        TableColumn("last_time", "Time", 0),
        TableColumn("buckets", "Buckets", NO_BUCKETS),
    ),
    "spans": (
        TableColumn("requests", "Whole", 0),
        TableColumn("errors", "Whole", 0),
        TableColumn("duration_ns", "Duration", 0),
        TableColumn("minimum_ns", "Duration", 0),
        TableColumn("maximum_ns", "Duration", 0),
        TableColumn("buckets", "Buckets", NO_BUCKETS),
    ),
}
"""Raw table → what a rollup of it has beside time and series."""


class Rollup(msgspec.Struct, frozen=True, kw_only=True):
    """One tier of one raw table."""

    table: Table
    source: str
    """The raw table."""
    tier: str
    width_ns: int

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that tell series apart."""
        return ROLLED[self.source]


def _rollup(source: str, tier: str) -> Rollup:
    name = f"{source}_{tier}"
    keys = (ROLES_OF_KEYS.get(key, TableColumn(key, "Word", "")) for key in ROLLED[source])
    columns = (TableColumn("time", "Time", 0), *keys, *VALUES[source])
    table = Table(name=name, kind=name, columns=columns)
    return Rollup(table=table, source=source, tier=tier, width_ns=WIDTHS[tier])


ROLLUPS: dict[str, Rollup] = {
    rollup.table.name: rollup
    for rollup in (_rollup(source, tier) for source in ROLLED for tier in WIDTHS)
}
"""Name of the table → the rollup."""
LISTED: dict[str, Table] = BY_NAME | {name: each.table for name, each in ROLLUPS.items()}
"""Every table of which there are segments."""
VIEWS: dict[str, str] = {view: name for name in ROLLUPS for view in (name, f"{name}{PARTS}")}
"""What a query may name → the rollup that it is of."""


def tiers_of(source: str) -> tuple[Rollup, ...]:
    """The rollups of a raw table, the finest first; none of one that is not rolled up."""
    return tuple(rollup for rollup in ROLLUPS.values() if rollup.source == source)
