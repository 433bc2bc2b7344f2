"""Rollups as statements: what `domain.rollups` says of rows, said to ClickHouse.

Of each rollup there is a table of parts, whose parts the server adds up when it merges them; a
materialised view, which makes parts of every block of raw rows, late or not; and a view, which is
what a query without `_parts` names. The names of columns are said with `rows.`, for ClickHouse
would take what is behind an AS for a column of the same name.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log

import msgspec

from qmon_agent.store.telemetry.rollups import PARTS, ROLLUPS, Rollup
from qmon_agent.store.telemetry.schema import BY_NAME, Table
from qmon_sdk.protocol.buckets import GAMMA, ZERO

from . import ddl
from .ddl import Layout

FOLD = "_fold"
"""Behind the name of a rollup: the view that feeds its parts."""
ORDER = {
    "points": ("service", "metric", "host", "time", "release", "environment", "kind", "unit"),
    "spans": ("service", "name", "time", "kind", "route", "status", "release", "environment"),
}
"""Raw table → by what its parts lie; all that tells series apart is in it, and `REST` behind."""
REST = {"points": ("mapKeys(`attributes`)", "mapValues(`attributes`)"), "spans": ("`host`",)}
DAILY = "1m"
"""The tier of which each day is a partition; of the others it is each month."""

ADDED = {
    "Whole": "SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1))",
    "Number": "SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1))",
    "Duration": "SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1))",
    "Buckets": "SimpleAggregateFunction(sumMap, Map(Int32, Int64)) CODEC(ZSTD(1))",
}
"""Role → how values of two parts become one, but for those named below."""
KINDS = {
    "minimum": "SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1))",
    "maximum": "SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1))",
    "minimum_ns": "SimpleAggregateFunction(min, Int64) CODEC(ZSTD(1))",
    "maximum_ns": "SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1))",
    "last": "Float64 ALIAS tupleElement(`latest`, 2)",
    "last_time": "DateTime64(9, 'UTC') ALIAS tupleElement(`latest`, 1)",
}
LATEST = (
    "`latest` SimpleAggregateFunction(max, Tuple(DateTime64(9, 'UTC'), Float64)) CODEC(ZSTD(1))"
)
"""The newest value, the larger one of two at the same time: the two columns above are of it."""

MAP = "'Map(Int32, Int64)'"
_LOG_GAMMA = f"{log(GAMMA)!r}"
_SMALLEST = "2.2250738585072014e-308"


def parts_of(rollup: Rollup) -> Table:
    """The table that has the parts, by its name; it is kept as long as the rollup's kind."""
    return msgspec.structs.replace(rollup.table, name=f"{rollup.table.name}{PARTS}")


def statements(layout: Layout) -> Iterator[str]:
    """What makes the rollups where they are not there yet, one by one."""
    for rollup in ROLLUPS.values():
        yield _create(rollup, layout)
        if layout.cluster:
            yield _distribute(rollup, layout)
        yield _fold(rollup, layout)
        yield _view(rollup, layout)


def _create(rollup: Rollup, layout: Layout) -> str:
    table, values = parts_of(rollup), _values(rollup)
    keys = [ddl.column(each) for each in table.columns if each.name in {"time", *rollup.keys}]
    columns = ",\n".join(f"  {each}" for each in [*keys, *values])
    unit = "toDate" if rollup.tier == DAILY else "toYYYYMM"
    order = ", ".join((*map(ddl.quoted, ORDER[rollup.source]), *REST[rollup.source]))
    return (
        f"CREATE TABLE IF NOT EXISTS {layout.local(table)}{layout.everywhere} (\n{columns}\n"
        f") ENGINE = {ddl.engine(table, layout, 'AggregatingMergeTree')}\n"
        f"PARTITION BY {unit}(`time`)\nORDER BY ({order})\n"
        f"{ddl.until(table, layout)}SETTINGS {ddl.settings(table, layout)}"
    )


def _values(rollup: Rollup) -> Iterator[str]:
    for column in rollup.table.columns:
        if column.name in {"time", *rollup.keys}:
            continue
        if column.name == "last":
            yield LATEST
        yield f"{ddl.quoted(column.name)} {KINDS.get(column.name) or ADDED[column.role]}"


def _distribute(rollup: Rollup, layout: Layout) -> str:
    """Nobody writes through it: each server folds what it gets itself."""
    table = parts_of(rollup)
    where = ", ".join(map(ddl.text, (layout.cluster, layout.database, table.name + ddl.LOCAL)))
    return (
        f"CREATE TABLE IF NOT EXISTS {layout.whole(table)}{layout.everywhere}\n"
        f"AS {layout.local(table)}\nENGINE = Distributed({where})"
    )


def _fold(rollup: Rollup, layout: Layout) -> str:
    name = f"{ddl.quoted(layout.database)}.{ddl.quoted(rollup.table.name + FOLD)}"
    values = _of_spans() if rollup.source == "spans" else _of_points()
    kept = "" if rollup.source == "spans" else "WHERE isFinite(rows.value)\n"
    nanos, width = "toUnixTimestamp64Nano(rows.time)", rollup.width_ns
    start = f"fromUnixTimestamp64Nano({nanos} - (({nanos} % {width}) + {width}) % {width}, 'UTC')"
    keys = {key: f"rows.{ddl.quoted(key)}" for key in rollup.keys}
    if "route" in keys:
        keys["route"] = "rows.`attributes`['http.route']"
    return (
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name}{layout.everywhere}\n"
        f"TO {layout.local(parts_of(rollup))}\nAS {_select({'time': start, **keys, **values})}\n"
        f"FROM {layout.local(BY_NAME[rollup.source])} AS rows\n{kept}"
        f"GROUP BY {', '.join((start, *keys.values()))}"
    )


def _view(rollup: Rollup, layout: Layout) -> str:
    keys = {key: f"rows.{ddl.quoted(key)}" for key in ("time", *rollup.keys)}
    values = {
        column.name: _together(column.name)
        for column in rollup.table.columns
        if column.name not in keys
    }
    return (
        f"CREATE VIEW IF NOT EXISTS {layout.whole(rollup.table)}{layout.everywhere}\n"
        f"AS {_select({**keys, **values})}\nFROM {layout.whole(parts_of(rollup))} AS rows\n"
        f"GROUP BY {', '.join(keys.values())}"
    )


def _select(columns: dict[str, str]) -> str:
    said = ",\n".join(f"  {value} AS {ddl.quoted(name)}" for name, value in columns.items())
    return f"SELECT\n{said}"


def _together(name: str) -> str:
    """Parts added up, of one column."""
    if name in {"last", "last_time"}:
        return f"tupleElement(max(rows.`latest`), {2 if name == 'last' else 1})"
    if name == "buckets":
        return "sumMap(rows.`buckets`)"
    which = {"mi": "min", "ma": "max"}.get(name[:2], "sum")
    return f"{which}(rows.{ddl.quoted(name)})"


def _of_points() -> dict[str, str]:
    count = "greatest(1, rows.`count`)"
    mean = f"map({_bucket(f'(rows.value / {count})')}, toInt64({count}))"
    single = f"map({_bucket('rows.value')}, toInt64(1))"
    spread = (
        f"multiIf(rows.kind = 'counter', CAST(map(), {MAP}), rows.kind != 'distribution', "
        f"CAST({single}, {MAP}), length(rows.buckets) > 0, CAST(rows.buckets, {MAP}), "
        f"CAST({mean}, {MAP}))"
    )
    return {
        "points": "toInt64(count())",
        "sum": "sum(rows.value)",
        "count": "sum(rows.`count`)",
        "minimum": "min(if(rows.kind = 'distribution', rows.minimum, rows.value))",
        "maximum": "max(if(rows.kind = 'distribution', rows.maximum, rows.value))",
        "latest": "max((rows.time, rows.value))",
        "buckets": f"sumMap({spread})",
    }


def _of_spans() -> dict[str, str]:
    bucket = _bucket("toFloat64(rows.duration_ns)")
    return {
        "requests": "toInt64(count())",
        "errors": "toInt64(countIf(rows.status = 'error'))",
        "duration_ns": "sum(rows.duration_ns)",
        "minimum_ns": "min(rows.duration_ns)",
        "maximum_ns": "max(rows.duration_ns)",
        "buckets": f"sumMap(CAST(map({bucket}, toInt64(1)), {MAP}))",
    }


def _bucket(value: str) -> str:
    """`protocol.buckets.bucket_of`, of a Float64."""
    return (
        f"multiIf(abs({value}) < {_SMALLEST}, {ZERO}, "
        f"{value} > 0, toInt32(ceil(log({value}) / {_LOG_GAMMA})), "
        f"{2 * ZERO} - toInt32(ceil(log(-({value})) / {_LOG_GAMMA})))"
    )
