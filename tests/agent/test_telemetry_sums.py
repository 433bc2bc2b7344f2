"""What a table adds up to: the same in any order, another for any other row."""

from __future__ import annotations

import hashlib

import duckdb
import pyarrow as pa
import pytest

from qmon_agent.store.telemetry import sums
from qmon_agent.store.telemetry.arrays import TYPES
from qmon_agent.store.telemetry.engines.duckdb import ddl
from qmon_agent.store.telemetry.schema import BY_NAME

POINTS = BY_NAME["points"]
DAY = 86_400 * 10**9
ROW = {column.name: column.default for column in POINTS.columns}
ROWS = [
    ROW | {"time": -1, "metric": "a", "value": -0.5},
    ROW | {"time": 3, "metric": "b", "attributes": {"k": "v", "": "é"}},
    ROW | {"time": DAY, "metric": "c", "value": 0.1},
]


def said(rows):
    """What DuckDB says of them."""
    columns = {
        column.name: pa.array([row[column.name] for row in rows], TYPES[column.role])
        for column in POINTS.columns
    }
    with duckdb.connect() as own:
        own.execute("CREATE SCHEMA hot")
        own.execute(ddl.create(POINTS, "hot"))
        own.register("incoming", pa.table(columns))
        own.execute("INSERT INTO hot.points BY NAME FROM incoming")
        asked = sums.asked(POINTS, "hot.points", sums.DUCKDB)
        return sums.read(own.execute(asked).fetchall())


def test_days_begin_at_midnight_also_before_1970():
    assert {"1969-12-31": 1, "1970-01-01": 1, "1970-01-02": 1} == {
        day: each.rows for day, each in said(ROWS).items()
    }


def test_the_order_of_rows_and_what_is_between_them_do_not_matter():
    assert said(ROWS) == said(ROWS[::-1])


@pytest.mark.parametrize(
    "change", [{"metric": "d"}, {"value": 0.25}, {"value": -0.0}, {"attributes": {"k": "w"}}]
)
def test_any_other_value_is_another_sum(change):
    assert said(ROWS) != said([ROWS[0], ROWS[1] | change, ROWS[2]])


def test_a_row_twice_is_not_the_same_as_once_or_none():
    once, twice = said(ROWS), said([*ROWS, ROWS[2]])

    assert once["1970-01-02"].checksum != twice["1970-01-02"].checksum
    assert once["1970-01-01"] == twice["1970-01-01"]


def test_the_digest_is_the_end_of_an_md5():
    with duckdb.connect() as own:
        hashed = sums.DUCKDB.hashed.format("'abc'")
        (found,) = own.execute(f"SELECT {hashed}").fetchone()

    assert int.from_bytes(hashlib.md5(b"abc").digest()[8:], "little") == found
