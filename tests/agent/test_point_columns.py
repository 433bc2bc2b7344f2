"""Points of a record by their columns tell what its rows tell."""

from __future__ import annotations

import pytest

from qmon_agent.domain.point_columns import PointColumns, facts_of, metrics_of, points_of
from qmon_sdk.protocol.columns import Block, block_of
from qmon_sdk.protocol.errors import FrameError
from qmon_sdk.protocol.signals import Point

POINTS = [
    Point(time=1, metric="a", value=1.5, attributes={"k": "v"}),
    Point(time=2, metric="b", kind="counter", value=2.0),
    Point(time=3, metric="a", kind="distribution", value=6.0, count=3),
]


@pytest.fixture
def columns():
    return PointColumns([block_of("point", POINTS[:2]), block_of("point", POINTS[2:])])


class TestPointColumns:
    def test_are_their_rows(self, columns):
        assert POINTS == [*columns]
        assert len(POINTS) == len(columns)
        assert POINTS[1] == columns[1]
        assert POINTS[1:] == columns[1:]

    def test_of_one_metric_are_those_of_its_rows(self, columns):
        assert [POINTS[0], POINTS[2]] == [*points_of(columns, "a")] == [*points_of(POINTS, "a")]
        assert [] == [*points_of(columns, "c")]

    def test_of_many_metrics_stay_the_same_points(self):
        points = [Point(time=n, metric=f"m{n % 20}") for n in range(40)]
        columns = PointColumns([block_of("point", points)])
        first = columns.of("m0")

        found = [[*columns.of(f"m{n}")] for n in range(20)]

        assert found == [[points[n], points[n + 20]] for n in range(20)]
        assert first is columns.of("m0")
        assert [] == columns.of("none")

    def test_name_each_metric_once(self, columns):
        assert ["a", "b"] == [*metrics_of(columns)] == [*metrics_of(POINTS)]

    def test_tell_the_facts_that_their_rows_tell(self, columns):
        assert [*facts_of(POINTS)] == [*facts_of(columns)]
        assert ("b", "counter", 2.0, 1, 2) == [*facts_of(columns)][1]

    def test_take_the_default_for_what_an_older_writer_left_out(self):
        block = block_of("point", POINTS)
        short = PointColumns([Block(kind="point", rows=3, columns=block.columns[:4])])

        assert [1, 1, 1] == short.column("count")

    def test_refuse_a_column_that_contradicts_itself_when_it_is_looked_at(self):
        broken = PointColumns([Block(kind="point", rows=2, columns=(1, ["d", b"", ["a"]]))])

        with pytest.raises(FrameError):
            metrics_of(broken)
