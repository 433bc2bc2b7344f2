"""Questions by name as an agent answers them: what is told, remembered and drawn."""

import pytest

from qmon_agent.cli._drawn import lines_of
from qmon_agent.journal import Position
from qmon_agent.store.telemetry.answers import Column, Freshness, QueryResult
from qmon_agent.store.telemetry.asked import answer_by
from qmon_agent.store.telemetry.link import Progress
from qmon_agent.store.telemetry.parameters import written
from qmon_agent.store.telemetry.questions import QUESTIONS, Series
from qmon_agent.store.telemetry.remembering import MOST_CELLS, Remembered

NS = 10**9
NOW = 1_795_000_000 * NS + 5


class OneRow:
    """A store that answers everything with one row, and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def freshness(self):
        return Freshness(stored_record=7, behind_records=2)

    dialect = "duckdb"

    async def remembered_query(self, sql, *, within, limit, timeout_s):
        self.asked.append((sql, limit, timeout_s))
        columns = (Column("route", "VARCHAR"), Column("p95_ms", "DOUBLE"))
        return QueryResult(columns=columns, rows=[["/", 2.5]])


def progress(record):
    place = Position(record_id=record)
    return Progress(stored=place, exported=Position(), counts={})


def result(rows):
    return QueryResult(columns=(Column("n", "BIGINT"),), rows=[[n] for n in range(rows)])


class TestAnAnswer:
    async def test_has_units_and_what_it_was_made_of(self):
        answer = await answer_by(OneRow(), "latency_by_route", {"since": "2h"}, now=NOW)

        assert [{"name": "route", "unit": ""}, {"name": "p95_ms", "unit": "ms"}] == answer[
            "columns"
        ]
        assert [{"route": "/", "p95_ms": 2.5}] == answer["rows"]
        assert ("raw", "exact") == (answer["tier"], answer["precision"])
        assert {"stored_record": 7, "behind_records": 2} == answer["freshness"]
        assert "2026-11-18T11:07:00Z" == answer["parameters"]["until"]

    async def test_over_a_long_time_is_near(self):
        answer = await answer_by(OneRow(), "latency_by_route", {"since": "3d"}, now=NOW)

        assert "within 2 %" == answer["precision"]

    async def test_is_limited_as_it_is_asked_to_be(self):
        store, said = OneRow(), {"limit": "3", "timeout_s": "0.5"}
        answer = await answer_by(store, "slowest_spans", said, now=NOW)

        assert [(answer["sql"], 3, 0.5)] == store.asked

    async def test_may_be_the_plan(self):
        store = OneRow()
        answer = await answer_by(store, "slowest_spans", {"explain": "true"}, now=NOW)

        assert "2.5" == answer["plan"]
        assert store.asked[0][0] == f"EXPLAIN {answer['sql']}"

    async def test_is_asked_for_the_same_within_a_second(self):
        store = OneRow()
        for later in (0, 900_000_000):
            await answer_by(store, "error_groups", {}, now=NOW + later)

        assert store.asked[0] == store.asked[1]


class TestRemembering:
    def test_knows_an_answer_until_something_is_stored(self):
        remembered = Remembered()
        remembered.keep(progress(1), ("a", 5), result(2))

        assert result(2) == remembered.find(progress(1), ("a", 5))
        assert remembered.find(progress(1), ("a", 6)) is None
        assert remembered.find(progress(2), ("a", 5)) is None

    def test_keeps_no_more_than_a_small_process_may(self):
        remembered = Remembered()
        for number in range(5):
            remembered.keep(progress(1), (str(number), 5), result(MOST_CELLS // 3))
        remembered.keep(progress(1), ("large", 5), result(MOST_CELLS + 1))
        kept = [n for n in range(5) if remembered.find(progress(1), (str(n), 5))]

        assert len(kept) <= 3
        assert remembered.find(progress(1), ("large", 5)) is None


class TestLines:
    def test_have_a_dot_where_a_series_has_nothing(self):
        rows = [
            {"start": 1, "route": "/", "n": 1.0},
            {"start": 2, "route": "/", "n": 3.0},
            {"start": 3, "route": "/", "n": 2.0},
            {"start": 2, "route": "/b", "n": 5.0},
        ]
        columns, lines = lines_of(Series(by=("route",), of="n"), rows)

        assert ["route", "n", "lowest", "highest", "newest"] == columns
        assert ["▁█▅", "·▁·"] == [line["n"] for line in lines]
        assert ("1", "3", "2") == tuple(lines[0][each] for each in columns[2:])


class TestParameters:
    @pytest.mark.parametrize(("value", "text"), [(0, "now"), (-90 * NS, "1m30s")])
    def test_are_told_as_they_are_written(self, value, text):
        assert text == written(value, "moment")

    def test_have_no_name_of_the_manner(self):
        names = {
            field for name in QUESTIONS.names() for field in QUESTIONS.find(name).__struct_fields__
        }

        assert not names & {"limit", "timeout_s", "explain"}
