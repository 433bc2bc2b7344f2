"""Rollups as statements: what `domain.rollups` says of rows, said to DuckDB.

Each is one GROUP BY, of which the columns that nobody asks for cost nothing.
"""

from __future__ import annotations

from math import log

from qmon_agent.store.telemetry.rollups import Rollup
from qmon_sdk.protocol.buckets import GAMMA, ZERO

from . import ddl

MAP = ddl.TYPES["Buckets"]
NOTHING = f"CAST(MAP {{}} AS {MAP})"
ROUTE = "coalesce(attributes['http.route'], '')"
_MOST = (1 << 63) - 1
_SMALLEST = "2.2250738585072014e-308"
_LOG_GAMMA = f"{log(GAMMA)!r}e0"


def of_rows(rollup: Rollup, source: str) -> str:
    """The rollup of raw rows; `source` is a query that has them."""
    if rollup.source == "spans":
        source = f"SELECT *, {ROUTE} AS route FROM ({source})"  # noqa: S608 - our names
        return _grouped(rollup, source, values=_of_spans())
    source = f"SELECT * FROM ({source}) WHERE isfinite(value)"  # noqa: S608 - our names
    return _grouped(rollup, source, values=_of_points())


def of_parts(rollup: Rollup, source: str) -> str:
    """The rollup of rows of the same or of a finer tier; `source` is a query that has them."""
    return _grouped(
        rollup, source, values=_OF_SPAN_PARTS if rollup.source == "spans" else _OF_POINT_PARTS
    )


def _grouped(rollup: Rollup, source: str, *, values: dict[str, str]) -> str:
    keys = ", ".join(f"rows.{ddl.quoted(key)}" for key in rollup.keys)
    start = _start(rollup.width_ns)
    said = ", ".join(f"{value} AS {ddl.quoted(name)}" for name, value in values.items())
    return (
        f"SELECT {start} AS time, {keys}, {said} FROM ({source}) AS rows GROUP BY {start}, {keys}"  # noqa: S608 - our names
    )


def _start(width: int) -> str:
    """When the stretch began that a time is in; what is before 1970 as well."""
    nanos = "epoch_ns(rows.time)"
    return f"make_timestamp_ns({nanos} - (({nanos} % {width}) + {width}) % {width})"


def _of_points() -> dict[str, str]:
    mean = _bucket("(value / greatest(1, count))")
    spread = f"""CASE WHEN cardinality(buckets) > 0 THEN buckets
      ELSE CAST(MAP {{{mean}: greatest(1, count)}} AS {MAP}) END"""
    single = f"histogram({_bucket('value')}) FILTER (kind NOT IN ('counter', 'distribution'))"
    return {
        "points": "count(*)",
        "sum": "sum(value)",
        "count": _whole("count"),
        "minimum": "min(CASE WHEN kind = 'distribution' THEN minimum ELSE value END)",
        "maximum": "max(CASE WHEN kind = 'distribution' THEN maximum ELSE value END)",
        "last": _last("rows.time", "value"),
        "last_time": "max(rows.time)",
        "buckets": f"""CASE kind WHEN 'counter' THEN {NOTHING}
          WHEN 'distribution' THEN {_together(f"list({spread}) FILTER (kind = 'distribution')")}
          ELSE CAST({single} AS {MAP}) END""",
    }


def _of_spans() -> dict[str, str]:
    return {
        "requests": "count(*)",
        "errors": "count(*) FILTER (status = 'error')",
        "duration_ns": _whole("duration_ns"),
        "minimum_ns": "min(duration_ns)",
        "maximum_ns": "max(duration_ns)",
        "buckets": f"CAST(histogram({_bucket('CAST(duration_ns AS DOUBLE)')}) AS {MAP})",
    }


def _bucket(value: str) -> str:
    """`protocol.buckets.bucket_of`, of a DOUBLE."""
    return f"""CASE WHEN abs({value}) < {_SMALLEST} THEN {ZERO}
      WHEN {value} > 0 THEN CAST(ceil(ln({value}) / {_LOG_GAMMA}) AS INTEGER)
      ELSE {2 * ZERO} - CAST(ceil(ln(-({value})) / {_LOG_GAMMA}) AS INTEGER) END"""


def _together(maps: str) -> str:
    """`protocol.buckets.fold`, of a list of maps."""
    folded = f"""map_from_entries(list_transform(
      list_distinct(flatten(list_transform({maps}, lambda one: map_keys(one)))),
      lambda bucket: {{'key': bucket, 'value': CAST(list_sum(
        list_transform({maps}, lambda one: coalesce(one[bucket], 0))) AS BIGINT)}}))"""
    return f"""CASE WHEN coalesce(len({maps}), 0) = 0 THEN {NOTHING}
      WHEN len({maps}) = 1 THEN ({maps})[1] ELSE CAST({folded} AS {MAP}) END"""


def _last(time: str, value: str) -> str:
    """The newest value, the larger one of two at the same time."""
    return f"struct_extract(max({{'time': {time}, 'value': {value}}}), 'value')"


def _whole(column: str) -> str:
    """A sum of whole numbers, as large as a column holds."""
    return f"CAST(greatest(least(sum({column}), {_MOST}), -{_MOST}) AS BIGINT)"


_OF_POINT_PARTS = {
    "points": _whole("points"),
    "sum": "sum(sum)",
    "count": _whole("count"),
    "minimum": "min(minimum)",
    "maximum": "max(maximum)",
    "last": _last("last_time", "last"),
    "last_time": "max(last_time)",
    "buckets": _together("list(buckets)"),
}
_OF_SPAN_PARTS = {
    "requests": _whole("requests"),
    "errors": _whole("errors"),
    "duration_ns": _whole("duration_ns"),
    "minimum_ns": "min(minimum_ns)",
    "maximum_ns": "max(maximum_ns)",
    "buckets": _together("list(buckets)"),
}
