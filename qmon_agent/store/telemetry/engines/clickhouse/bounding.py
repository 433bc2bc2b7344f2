"""What is beyond its bytes: the oldest days go whole, or a service's rows are taken out of them.

Ages are the server's own work (`TTL`). It has no bound of bytes, so an agent looks, and says which
partitions go. Several may look at once: each names what goes, and what is gone is no error. How it
is judged, and how holds bind it, is `domain.retention`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from qmon_agent.domain.retention import Bound, Clearing, Hold, Lot, Policy, clear, holding
from qmon_agent.store.telemetry.forgetting import CLICKHOUSE, held_rows, of_services
from qmon_agent.store.telemetry.rollups import ROLLUPS
from qmon_agent.store.telemetry.schema import TABLES, Table

from . import ddl, folding
from .ddl import Layout
from .server import Server

ANY_SIZE = {"max_partition_size_to_drop": 0}
"""Of what is named, however large it has become."""
BESIDE = {"mutations_sync": 0}
"""Nobody waits for it: who wants to hold something in the meantime ends it."""
NS = 10**9
DAY_NS = 86_400 * NS


class Piece(msgspec.Struct, frozen=True):
    """A partition: its id, which is a day or a month, its bytes on the disk, and its rows."""

    id: str
    bytes: int
    rows: int


class Bytes:
    """Looks at the sizes of what the server has, and gives up what is too much."""

    def __init__(self, policy: Policy) -> None:
        self.policy = by_bytes(policy)
        self.tables = tuple(tables(self.policy.bounded))
        self._seen: dict[tuple[str, str], tuple[int, Mapping[str, int]]] = {}

    def apply(self, server: Server, holds: Sequence[Hold], *, now: int) -> Counter[str]:
        """Give up what is too much and not held, and count it; AwayError if the server is."""
        server.make_ready()
        counts: Counter[str] = Counter(expired_segments=0, thinned_segments=0, held_segments=0)
        for table in self.tables:
            lots = self._lots(server, table)
            clearing = clear(lots, self.policy, holds=(*holds, unended(now)), now=now)
            counts.update(_give_up(server, table, clearing, holds=holds))
            counts["held_segments"] += sum(
                lot.name in clearing.held and bool(holding(lot, holds)) for lot in lots
            )
        return counts

    def _lots(self, server: Server, table: Table) -> list[Lot]:
        with server.asked() as client:
            found = client.query(pieces(table, server.layout)).result_rows
        parts = [Piece(str(name), int(size), int(rows)) for name, size, rows in found]
        services = self._services(server, table, parts)
        return [lot_of(table, part, services.get(part.id, {})) for part in parts]

    def _services(
        self, server: Server, table: Table, parts: Sequence[Piece]
    ) -> dict[str, Mapping[str, int]]:
        """Whose rows each partition has, where it matters; counted anew where rows came or went."""
        bounds = [
            bound.bytes
            for kinds in self.policy.services.values()
            for kind, bound in kinds.items()
            if kind == table.kind and bound.bytes is not None
        ]
        if not bounds or sum(part.bytes for part in parts) <= min(bounds):
            return {}
        known = {part.id: self._seen.get((table.name, part.id), (-1, {})) for part in parts}
        changed = [part for part in parts if known[part.id][0] != part.rows]
        if changed:
            counted = _counted(server, table, [part.id for part in changed])
            for part in changed:
                known[part.id] = (part.rows, counted.get(part.id, {}))
                self._seen[table.name, part.id] = known[part.id]
        return {name: services for name, (_, services) in known.items()}


def by_bytes(policy: Policy) -> Policy:
    """The bounds of bytes alone."""
    return Policy(
        kinds=_by_bytes(policy.kinds),
        services={name: _by_bytes(kinds) for name, kinds in policy.services.items()},
    )


def _by_bytes(bounds: Mapping[str, Bound]) -> dict[str, Bound]:
    return {
        kind: Bound(bytes=bound.bytes) for kind, bound in bounds.items() if bound.bytes is not None
    }


def tables(kinds: Collection[str]) -> Iterator[Table]:
    """Those of some kinds: of rollups the ones that have the parts."""
    for table in (*TABLES.values(), *map(folding.parts_of, ROLLUPS.values())):
        if table.kind in kinds:
            yield table


def unended(now: int) -> Hold:
    """What goes on today is not to be given up: more comes to it, and no older day is left."""
    return Hold(id="today", since=now // DAY_NS * DAY_NS)


def lot_of(table: Table, part: Piece, services: Mapping[str, int]) -> Lot:
    """A partition as a lot."""
    oldest, newest = span_of(part.id)
    return Lot(
        name=part.id,
        kind=table.kind,
        bytes=part.bytes,
        oldest=oldest,
        newest=newest,
        aged_from=newest,
        services=services,
    )


def span_of(partition: str) -> tuple[int, int]:
    """The first and the last nanosecond of a partition, `20261127` or `202611`."""
    is_day = len(partition) == len("20261127")
    start = datetime.strptime(partition, "%Y%m%d" if is_day else "%Y%m").replace(tzinfo=UTC)
    end = start + timedelta(days=1) if is_day else (start + timedelta(days=31)).replace(day=1)
    return int(start.timestamp()) * NS, int(end.timestamp()) * NS - 1


def pieces(table: Table, layout: Layout) -> str:
    """The question for the partitions of a table, in a cluster of one replica of each shard."""
    source = "system.parts"
    if layout.cluster:
        source = f"cluster({ddl.text(layout.cluster)}, {source})"
    return (
        f"SELECT partition_id, sum(bytes_on_disk), sum(rows) FROM {source}"  # noqa: S608 - our names
        f" WHERE {_where(table, layout)} AND active GROUP BY partition_id ORDER BY partition_id"
    )


def services(table: Table, days: Iterable[str], layout: Layout) -> str:
    """The question for whose rows some days have."""
    wanted = ", ".join(ddl.text(f"{day[:4]}-{day[4:6]}-{day[6:]}") for day in days)
    return (
        "SELECT toString(toYYYYMMDD(toDate(time))) AS day, service, count()"  # noqa: S608 - our names
        f" FROM {layout.whole(table)} WHERE toDate(time) IN ({wanted}) GROUP BY day, service"
    )


def drop(table: Table, partition: str, layout: Layout) -> str:
    """The statement that gives up a partition, on every server of a cluster."""
    return f"{_alter(table, layout)} DROP PARTITION ID {ddl.text(partition)}"


def thin(
    table: Table, partition: str, whose: Iterable[str], *, holds: Sequence[Hold], layout: Layout
) -> str:
    """The statement that takes services' rows out of a partition, but those that are held."""
    held = held_rows(table, holds, words=CLICKHOUSE)
    return (
        f"{_alter(table, layout)} DELETE IN PARTITION ID {ddl.text(partition)}"
        f" WHERE {of_services(whose, words=CLICKHOUSE)} AND {CLICKHOUSE.untrue.format(held)}"
    )


def pending(table: Table, layout: Layout) -> str:
    """The question for partitions of a table that are being thinned."""
    source = "system.mutations"
    if layout.cluster:
        source = f"clusterAllReplicas({ddl.text(layout.cluster)}, {source})"
    return f"SELECT 1 FROM {source} WHERE {_where(table, layout)} AND {_THINNING} LIMIT 1"  # noqa: S608 - our names


def stop(table: Table, layout: Layout) -> str:
    """The statement that ends all thinning of a table: something is held by now."""
    return f"KILL MUTATION{layout.everywhere} WHERE {_where(table, layout)} AND {_THINNING}"


_THINNING = "NOT is_done AND command LIKE '%DELETE IN PARTITION ID%'"


def _alter(table: Table, layout: Layout) -> str:
    return f"ALTER TABLE {layout.local(table)}{layout.everywhere}"


def _where(table: Table, layout: Layout) -> str:
    return f"database = {ddl.text(layout.database)} AND table = {ddl.text(layout.name(table))}"


def _give_up(
    server: Server, table: Table, clearing: Clearing, *, holds: Sequence[Hold]
) -> Counter[str]:
    counts: Counter[str] = Counter()
    with server.asked() as client:
        for name in clearing.drop:
            client.command(drop(table, name, server.layout), settings=ANY_SIZE)
            counts["expired_segments"] += 1
        if clearing.thin and client.query(pending(table, server.layout)).result_rows:
            return counts  # it is being written anew still
        for name, whose in clearing.thin.items():
            said = thin(table, name, whose, holds=holds, layout=server.layout)
            client.command(said, settings=BESIDE)
            counts["thinned_segments"] += 1
    return counts


def _counted(server: Server, table: Table, days: Iterable[str]) -> dict[str, dict[str, int]]:
    counted: dict[str, dict[str, int]] = {}
    with server.asked() as client:
        for day, service, rows in client.query(services(table, days, server.layout)).result_rows:
            counted.setdefault(str(day), {})[str(service)] = int(rows)
    return counted
