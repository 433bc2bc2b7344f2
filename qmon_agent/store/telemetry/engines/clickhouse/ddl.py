"""ClickHouse's words for the tables: types and codecs by role, order keys, engines, age."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from qmon_agent.store.telemetry.schema import EVERY_TABLE, RESOURCES, TABLES, Table, TableColumn

TYPES = {
    "Time": "DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1))",
    "Duration": "Int64 CODEC(T64, ZSTD(1))",
    "Whole": "Int64 CODEC(T64, ZSTD(1))",
    "Number": "Float64 CODEC(Gorilla, ZSTD(1))",
    "Flag": "Bool",
    "Key": "String CODEC(ZSTD(1))",
    "Word": "LowCardinality(String)",
    "Text": "String CODEC(ZSTD(3))",
    "Labels": "Map(LowCardinality(String), String) CODEC(ZSTD(1))",
    "Buckets": "Map(Int32, Int64) CODEC(ZSTD(1))",
}
"""Role → type and codec."""

ORDER = {
    "spans": ("service", "name", "time"),
    "errors": ("service", "issue_id", "time"),
    "events": ("service", "name", "time"),
    "sessions": ("service", "time"),
    "points": ("service", "metric", "host", "process", "time"),
    "logs": ("service", "time"),
    "checkins": ("service", "monitor", "time"),
    "snapshots": ("service", "measure", "time"),
    "findings": ("service", "rule", "time"),
    "resources": ("process",),
}
"""Table → by what its rows lie: what most questions ask for first."""
SOUGHT = ("trace_id", "user_id")
"""Looked for one by one: a bloom filter says where they are not."""
SHARDED_BY = {"spans": "trace_id", "events": "user_id"}
"""Table → whose rows lie together on one shard of a cluster; of the others a process's do."""
LOCAL = "_local"
"""What the table of each server of a cluster is called, behind the distributed one."""

DAY_S = 86_400
LONGEST_S = 40 * 365 * DAY_S
"""What is kept longer is kept for ever: the server's seconds end in 2106, and begin anew."""
NEVER = "toDateTime(4294967295, 'UTC')"

SETTINGS = {"fsync_after_insert": 1, "fsync_part_directory": 1}
WINDOW = 10_000
WINDOW_S = 7 * 86_400
"""So many blocks, and for so long, a server knows those it has, and takes none twice."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where tables are made, and for how long they keep their rows."""

    database: str = "qmon"
    cluster: str = ""
    is_alone: bool = False
    """Whether nobody else is in that cluster: nothing is replicated, or said to others."""
    keep_s: Mapping[str, float] = {}
    """Kind → for how long; what is not named, or for longer than `LONGEST_S`, is for ever."""
    apart_s: Mapping[str, Mapping[str, float]] = {}
    """Kind → service → for how long, where that is another time than everybody's."""

    @property
    def everywhere(self) -> str:
        return f" ON CLUSTER {text(self.cluster)}" if self.replicates else ""

    @property
    def replicates(self) -> bool:
        """Whether rows are on several servers."""
        return bool(self.cluster) and not self.is_alone

    def name(self, table: Table) -> str:
        """What the table that has the rows is called, in its database."""
        return table.name + (LOCAL if self.cluster else "")

    def local(self, table: Table) -> str:
        """The name of the table that has the rows."""
        return f"{quoted(self.database)}.{quoted(self.name(table))}"

    def whole(self, table: Table) -> str:
        """The name of the table that is written and asked."""
        return f"{quoted(self.database)}.{quoted(table.name)}"


def quoted(name: str) -> str:
    """A name as an identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def text(value: str) -> str:
    """A text as a literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def script(layout: Layout) -> str:
    """Everything, as the golden files keep it."""
    return ";\n\n".join(statements(layout)) + ";\n"


def statements(layout: Layout) -> Iterator[str]:
    """What makes the database and its tables where they are not there yet, one by one."""
    yield database(layout)
    for table in EVERY_TABLE:
        yield create(table, layout)
        if layout.cluster:
            yield distribute(table, layout)


def database(layout: Layout) -> str:
    """The statement that makes the database."""
    return f"CREATE DATABASE IF NOT EXISTS {quoted(layout.database)}{layout.everywhere}"


def create(table: Table, layout: Layout) -> str:
    """The statement that makes the table which has the rows."""
    lines = [f"  {column(each)}" for each in table.columns]
    lines += [
        f"  INDEX {quoted('by_' + name)} {quoted(name)} TYPE bloom_filter(0.01) GRANULARITY 4"
        for name in SOUGHT
        if name in table.column_names
    ]
    kind, by = ("ReplacingMergeTree", ("`time`",)) if table is RESOURCES else ("MergeTree", ())
    order = ", ".join(map(quoted, ORDER[table.name]))
    partition = "" if table is RESOURCES else "PARTITION BY toDate(`time`)\n"
    return (
        f"CREATE TABLE IF NOT EXISTS {layout.local(table)}{layout.everywhere} (\n"
        + ",\n".join(lines)
        + f"\n) ENGINE = {engine(table, layout, kind, *by)}\n{partition}ORDER BY ({order})\n"
        + until(table, layout)
        + f"SETTINGS {settings(table, layout)}"
    )


def distribute(table: Table, layout: Layout) -> str:
    """The statement that makes the table which reaches all shards."""
    where = f"{text(layout.cluster)}, {text(layout.database)}, {text(table.name + LOCAL)}"
    key = quoted(SHARDED_BY.get(table.name, "process"))
    return (
        f"CREATE TABLE IF NOT EXISTS {layout.whole(table)}{layout.everywhere}\n"
        f"AS {layout.local(table)}\nENGINE = Distributed({where}, cityHash64({key}))"
    )


def add(table: Table, layout: Layout, present: Iterable[str]) -> list[str]:
    """The statements that give an older table the columns it does not have."""
    known = set(present)
    targets = dict.fromkeys((layout.local(table), layout.whole(table)))
    return [
        f"ALTER TABLE {target}{layout.everywhere} ADD COLUMN IF NOT EXISTS {column(each)}"
        for each in table.columns
        if each.name not in known
        for target in targets
    ]


def keep(table: Table, layout: Layout, *, full_engine: str) -> list[str]:
    """The statements that change for how long rows are kept, if what the server has differs.

    The settings come first: the server looks by them at what it has, when the age is another.
    """
    wanted = ttl(table, layout)
    target = f"ALTER TABLE {layout.local(table)}{layout.everywhere}"
    if not wanted:
        return [f"{target} REMOVE TTL"] if " TTL " in full_engine else []
    changed = ", ".join(
        f"{name} = {value}"
        for name, value in leaving(table, layout).items()
        if f"{name} = {value}" not in full_engine
    )
    said = [f"{target} MODIFY SETTING {changed}"] if changed else []
    if f"TTL {wanted} " not in f"{full_engine} ":
        said.append(f"{target} MODIFY TTL {wanted}")
    return said


def ttl(table: Table, layout: Layout) -> str:
    """When a row goes, as the server writes it; nothing for rows that are kept for ever."""
    if table is RESOURCES:
        ages = [_longest(kind, layout) for kind in TABLES]
        return f"toDateTime(time) + {_seconds(max(ages))}" if max(ages) < LONGEST_S else ""
    everybody = layout.keep_s.get(table.kind, LONGEST_S)
    if apart := layout.apart_s.get(table.kind):
        return _ttl_apart(everybody, apart)
    return f"toDateTime(time) + {_seconds(everybody)}" if everybody < LONGEST_S else ""


def _longest(kind: str, layout: Layout) -> float:
    return max(layout.keep_s.get(kind, LONGEST_S), *layout.apart_s.get(kind, {}).values(), 0.0)


def _ttl_apart(everybody: float, apart: Mapping[str, float]) -> str:
    """By the end of each day: so a part is written anew once for each service, and no more."""
    branches = ", ".join(
        f"service = {text(service)}, {_day_after(age_s)}"
        for service, age_s in sorted(apart.items())
    )
    return f"multiIf({branches}, {_day_after(everybody)})"


def _day_after(age_s: float) -> str:
    if age_s >= LONGEST_S:
        return NEVER
    return f"toDateTime(toDate(time), 'UTC') + {_seconds(age_s + DAY_S)}"


def _seconds(age_s: float) -> str:
    return f"toIntervalSecond({int(age_s)})"


def leaving(table: Table, layout: Layout) -> dict[str, int]:
    """The settings that say how rows go: with their part, or each service's by themselves."""
    if table is RESOURCES:
        return {}
    whole = int(not layout.apart_s.get(table.kind))
    return {"ttl_only_drop_parts": whole, "materialize_ttl_recalculate_only": 1}


def until(table: Table, layout: Layout) -> str:
    """The line of a table that says when its rows go, if they do."""
    wanted = ttl(table, layout)
    return f"TTL {wanted}\n" if wanted else ""


def engine(table: Table, layout: Layout, kind: str, *by: str) -> str:
    """An engine of the MergeTree family, replicated where there is a cluster."""
    if not layout.replicates:
        return f"{kind}({', '.join(by)})"
    path = f"/clickhouse/tables/{{shard}}/{layout.database}/{table.name}"
    return f"Replicated{kind}({', '.join([text(path), text('{replica}'), *by])})"


def settings(table: Table, layout: Layout) -> str:
    """What makes a block come once, stay when it is answered for, and go whole."""
    window = "replicated_" if layout.replicates else "non_replicated_"
    wanted = {f"{window}deduplication_window": WINDOW, **SETTINGS}
    if layout.replicates:
        wanted["replicated_deduplication_window_seconds"] = WINDOW_S
    wanted |= leaving(table, layout)
    return ", ".join(f"{name} = {value}" for name, value in wanted.items())


def column(column: TableColumn) -> str:
    """A column as a table is made with it."""
    kind, codec, rest = TYPES[column.role].partition(" CODEC")
    return f"{quoted(column.name)} {kind} DEFAULT {_literal(column)}{codec}{rest}"


def _literal(column: TableColumn) -> str:
    """What rows from before the column hold."""
    if isinstance(column.default, str):
        return text(column.default)
    if isinstance(column.default, dict):
        return "map()"
    if isinstance(column.default, bool):
        return str(column.default).lower()
    return str(column.default)
