"""Points of the hot file: a number for each series, and every sample with its own."""

from collections import Counter

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmon_agent.journal import Position
from qmon_agent.store.telemetry import decoding
from qmon_agent.store.telemetry.engine import RefusedError
from qmon_agent.store.telemetry.engines.duckdb import hot
from qmon_agent.store.telemetry.engines.duckdb.numbering import Numbers
from qmon_agent.store.telemetry.schema import TABLES
from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame
from qmon_sdk.protocol.signals import Point

COLUMNS = TABLES["point"].column_names
WORDS = st.sampled_from(["", "a", "b", "a\0b"])
POINTS = st.builds(
    Point,
    time=st.integers(0, 10**18),
    metric=WORDS,
    kind=st.sampled_from(["gauge", "counter", "distribution"]),
    value=st.floats(allow_nan=False),
    unit=WORDS,
    count=st.integers(0, 9),
    minimum=st.floats(allow_nan=False),
    buckets=st.dictionaries(st.integers(-9, 9), st.integers(1, 9), max_size=2),
    attributes=st.dictionaries(WORDS, WORDS, max_size=2),
)
FRAMES = st.lists(
    st.tuples(st.sampled_from(["shop", "till"]), st.lists(POINTS, min_size=1, max_size=8)),
    min_size=1,
    max_size=5,
)


class File:
    """A hot file in memory."""

    def __init__(self):
        self.connection = duckdb.connect()
        self.hot = hot.Hot.create(self.connection, 1, Position())
        self.place = 0

    def store(self, *frames):
        read = [decoding.decode(_frame(*frame), Counter()) for frame in frames]
        batch = decoding.together(read)
        self.place += 1
        self.hot.append(batch, Position(self.place, 0, self.place))
        return batch.tables["point"]

    def points(self):
        return _rows(self.connection.sql("FROM g1.points").to_arrow_table())

    def count(self, table):
        return self.connection.sql(f"SELECT count(*) FROM {table}").fetchall()[0][0]


def _frame(service, points):
    resource = Resource(service=service)
    return encode_frame(
        Frame(process=b"p" * 16, sequence=1, resource=resource, blocks=(block_of("point", points),))
    )


def _rows(table):
    times = table.column("time").cast(pa.int64())
    columns = [times.to_pylist(), *(table.column(name).to_pylist() for name in COLUMNS[1:])]
    return Counter(map(repr, zip(*columns, strict=True)))


@pytest.fixture
def file():
    opened = File()
    yield opened
    opened.connection.close()


class TestPoints:
    @settings(max_examples=60)
    @given(st.lists(FRAMES, min_size=1, max_size=3))
    def test_are_read_as_they_came(self, batches):
        file, told = File(), Counter()
        for frames in batches:
            told += _rows(file.store(*frames))

        assert told == file.points()
        file.connection.close()

    def test_are_found_under_numbers_that_were_forgotten(self, file):
        file.hot._numbers = Numbers(0, series=1, block_rows=0)
        told = Counter()
        for number in range(4):
            told += _rows(file.store(("shop", [Point(metric=f"m{number % 2}"), Point(metric="m")])))

        assert told == file.points()
        assert 3 < file.count("g1.series")

    def test_go_on_with_new_numbers_when_the_file_is_opened_again(self, file):
        told = _rows(file.store(("shop", [Point(metric="a"), Point(metric="b")])))
        file.hot = hot.Hot(file.connection)
        told += _rows(file.store(("shop", [Point(metric="c"), Point(metric="a")])))

        assert told == file.points()

    def test_of_a_batch_that_was_refused_leave_no_number_behind(self, file):
        good = ("shop", [Point(metric="new"), Point(metric="other")])
        read = [decoding.decode(_frame(*good), Counter())]
        batch = decoding.together(read)
        broken = pa.array([[("k", "a"), ("k", "b")]] * 2, pa.map_(pa.string(), pa.string()))
        place = COLUMNS.index("attributes")
        table = batch.tables["point"]
        wrong = decoding.Batch(
            {"point": pa.concat_tables([table, table.set_column(place, "attributes", broken)])}
        )
        with pytest.raises(RefusedError):
            file.hot.append(wrong, Position(1, 0, 1))
        told = _rows(file.store(good))

        assert told == file.points()


class TestSeries:
    def test_are_written_once(self, file):
        for _ in range(3):
            file.store(("shop", [Point(metric="a"), Point(metric="b"), Point(metric="a")]))
        file.store(("till", [Point(metric="a")]), ("shop", [Point(metric="b")]))

        assert 3 == file.count("g1.series")
        assert 11 == file.count("g1.points")

    def test_are_others_where_anything_in_their_names_is_other(self, file):
        file.store(
            ("shop", [Point(metric="a", unit="b"), Point(metric="b", unit="a")]),
            ("shop", [Point(attributes={"a": "b"}), Point(attributes={"b": "a"})]),
            ("shop", [Point(attributes={"a": "", "b": ""}), Point(attributes={"a": "b"})]),
        )

        assert 5 == file.count("g1.series")
