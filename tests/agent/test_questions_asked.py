"""Questions by name as an agent answers them: what is told, remembered and drawn."""

import msgspec
import pytest

from qmon_agent.cli._drawn import lines_of
from qmon_agent.domain.errors import QueryError
from qmon_agent.journal import Position
from qmon_agent.store.telemetry.answers import Column, Freshness, QueryResult
from qmon_agent.store.telemetry.asked import Manner, answer_by, ask_for
from qmon_agent.store.telemetry.layouts import ROWS, Layout
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

    async def remembered_query(self, sql, *, within, limit, timeout_s, layout):
        self.asked.append((sql, limit, timeout_s))
        columns = (Column("route", "VARCHAR"), Column("p95_ms", "DOUBLE"))
        return QueryResult(columns=columns, rows=[["/", 2.5]])


class Rows(OneRow):
    """Two series whose rows come in turns."""

    def __init__(self, written=None):
        super().__init__()
        self._written = written

    async def remembered_query(self, sql, *, within, limit, timeout_s, layout):
        self.asked.append(layout)
        names = ("service", "route", "start", "requests")
        columns = tuple(Column(name, "VARCHAR") for name in names)
        rows = [["s", "/", 1, 5], ["s", "/b", 1, 7], ["s", "/", 2, 6]]
        return QueryResult(columns=columns, rows=rows, written=self._written)


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


class TestALayoutInSeries:
    async def test_says_what_a_series_is_called_once(self):
        store, said = Rows(), {"layout": "series"}
        answer = await answer_by(store, "requests_by_route", said, now=NOW)

        assert [
            {"service": "s", "route": "/", "start": [1, 2], "requests": [5, 6]},
            {"service": "s", "route": "/b", "start": [1], "requests": [7]},
        ] == answer["series"]
        assert "rows" not in answer
        assert [Layout(by=("service", "route"))] == store.asked

    async def test_is_told_as_it_was_written(self):
        written = b'[{"service": "s"}]'
        answer = await answer_by(
            Rows(written=written), "requests_by_route", {"layout": "series"}, now=NOW
        )

        assert [{"service": "s"}] == msgspec.json.decode(msgspec.json.encode(answer))["series"]

    async def test_is_of_questions_about_series(self):
        with pytest.raises(QueryError, match="slowest_spans is not about series") as refused:
            await answer_by(Rows(), "slowest_spans", {"layout": "series"}, now=NOW)

        assert "layout" == refused.value.field

    async def test_has_a_name_that_there_is(self):
        with pytest.raises(QueryError, match="layout: has to be rows or series") as refused:
            await answer_by(Rows(), "slowest_spans", {"layout": "column"}, now=NOW)

        assert "layout" == refused.value.field

    async def test_is_not_of_a_plan(self):
        store, said = Rows(), {"layout": "series", "explain": "true"}
        answer = await answer_by(store, "requests_by_route", said, now=NOW)

        assert ("5\n7\n6", [ROWS]) == (answer["plan"], store.asked)


class TestRemembering:
    def test_knows_an_answer_until_something_is_stored(self):
        remembered = Remembered()
        remembered.keep(progress(1), ("a", 5, ROWS), result(2))

        assert result(2) == remembered.find(progress(1), ("a", 5, ROWS))
        assert remembered.find(progress(1), ("a", 6, ROWS)) is None
        assert remembered.find(progress(1), ("a", 5, Layout(by=("n",)))) is None
        assert remembered.find(progress(2), ("a", 5, ROWS)) is None

    def test_keeps_no_more_than_a_small_process_may(self):
        remembered = Remembered()
        for number in range(5):
            remembered.keep(progress(1), (str(number), 5, ROWS), result(MOST_CELLS // 3))
        remembered.keep(progress(1), ("large", 5, ROWS), result(MOST_CELLS + 1))
        kept = [n for n in range(5) if remembered.find(progress(1), (str(n), 5, ROWS))]

        assert len(kept) <= 3
        assert remembered.find(progress(1), ("large", 5, ROWS)) is None


class TestLines:
    def test_have_a_dot_where_a_series_has_nothing(self):
        told = [
            {"start": [1, 2, 3], "route": "/", "n": [1.0, 3.0, 2.0]},
            {"start": [2], "route": "/b", "n": [5.0]},
        ]
        columns, lines = lines_of(Series(by=("route",), of="n"), told)

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

        assert not names & {*Manner.__struct_fields__}

    @pytest.mark.parametrize("said", ["2020-01-01", "2020-01-01T00:00Z", "2020-01-01 01:00+01:00"])
    def test_may_be_days_which_begin_at_midnight_utc(self, said):
        asked = ask_for("logs_search", {"since": said}, now=NOW)

        assert 1_577_836_800 * NS == asked.definition.since

    @pytest.mark.parametrize("said", ["1000000000d", "2020-02-30", "2020-1-1"])
    def test_that_are_no_moments_are_named(self, said):
        with pytest.raises(QueryError, match=r"^since: ") as refused:
            ask_for("logs_search", {"since": said}, now=NOW)

        assert "since" == refused.value.field
        assert "Expected" not in str(refused.value)


class TestLevels:
    @pytest.mark.parametrize(
        ("said", "stored"),
        [("WARNING", "warn"), ("warn", "warn"), ("Critical", "fatal"), ("FATAL", "fatal")],
    )
    def test_are_known_by_what_loggers_call_them(self, said, stored):
        asked = ask_for("logs_search", {"level": said}, now=NOW)

        assert (stored, said) == (asked.definition.values()["level"], asked.definition.level)

    @pytest.mark.parametrize("said", ["warnn", "30", "error\n"])
    def test_that_nobody_has_are_refused(self, said):
        with pytest.raises(QueryError, match="level: has to be one level only: trace") as refused:
            ask_for("logs_search", {"level": said}, now=NOW)

        assert "level" == refused.value.field
