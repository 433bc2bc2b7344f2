"""Columns of an answer that are read as they lie in memory are what they are one by one."""

import json
import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.store.telemetry.in_series import in_series
from qmon_agent.store.telemetry.layouts import Layout
from qmon_agent.store.telemetry.objects import array, cells, objects
from qmon_agent.store.telemetry.plain import leaf, moment, plain

COLUMNS = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(),
    pa.string(): st.text(),
}


@pytest.mark.parametrize("kind", COLUMNS, ids=str)
@given(data=st.data())
def test_a_column_is_read_as_its_values_are_one_by_one(kind, data):
    values = data.draw(st.lists(st.none() | COLUMNS[kind] | COLUMNS[kind], max_size=9))
    start, length = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 9))
    column = pa.array(values, kind).slice(min(start, len(values)), length)

    assert plain(column) == [leaf(value) for value in column.to_pylist()]


@given(st.lists(st.integers(0, 2**62), max_size=9), st.integers(0, 9))
def test_moments_are_read_to_the_nanosecond(counts, start):
    column = pa.array(counts, pa.timestamp("ns")).slice(min(start, len(counts)))

    assert plain(column) == [moment(count, 10**9) for count in counts[start:]]


@given(st.lists(st.tuples(st.floats(), st.text(), st.none() | st.text(), st.integers(0, 2**62))))
def test_rows_written_by_column_are_the_rows_as_objects(rows):
    kinds = (pa.float64(), pa.string(), pa.string(), pa.timestamp("ns"))
    names = ["a", 'it"s', "c", "d"]
    columns = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(kinds)]
    batches = [[column.slice(at, 2) for column in columns] for at in range(0, len(rows) + 1, 2)]
    told = array([objects(names, batch, [cells] * 4) for batch in batches])

    values = zip(*map(plain, columns), strict=True)
    assert json.loads(told) == [dict(zip(names, row, strict=True)) for row in values]


@pytest.mark.parametrize("kind", [pa.float64(), pa.int64(), pa.int32(), pa.string()], ids=str)
@given(data=st.data())
def test_what_is_said_often_is_written_as_it_is_once(kind, data):
    few = ["0.0", "-0.0", "1.5"] if kind == pa.string() else [0, -1, 7]
    few = [0.0, -0.0, 1.5, math.nan, math.inf] if kind == pa.float64() else few
    values = data.draw(st.lists(st.sampled_from(few), max_size=60))
    column = pa.array([*values, *values], kind).slice(data.draw(st.integers(0, 9)))
    alone = [cells(column.slice(place, 1), b"x")[0] for place in range(len(column))]

    assert alone == cells(column, b"x")


FEW = st.sampled_from([0.0, -0.0, 1.5, 1e300, None])
NAMED = st.tuples(st.sampled_from("ab,"), st.none() | st.sampled_from("a,"), st.integers(0, 2))
MEASURED = st.tuples(st.integers(0, 2**62), FEW, FEW, st.integers(-2, 2), st.text(max_size=2))


@given(st.lists(st.builds(lambda named, measured: named + measured, NAMED, MEASURED)))
def test_series_written_by_column_are_the_rows_laid_out(rows):
    words, numbers = pa.string(), (pa.float64(), pa.float64(), pa.int64())
    kinds = (words, words, pa.int64(), pa.timestamp("ns"), *numbers, words)
    columns = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(kinds)]
    table = pa.table(columns, names=[*"abcdefg", 'it"s'])
    pieces = pa.concat_tables(table.slice(at, 3) for at in range(0, len(rows) + 1, 3))
    told = in_series(pieces, by=("a", "b", "c"), readers=[plain] * len(kinds))

    values = zip(*map(plain, columns), strict=True)
    whole = [dict(zip(table.column_names, row, strict=True)) for row in values]
    assert json.loads(told) == Layout(by=("a", "b", "c")).of(whole)
    assert b"-0.0" in told or not any(str(row[4]) == "-0.0" for row in rows)
