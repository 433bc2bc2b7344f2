"""Journal to ClickHouse and back in answers, on the engine in this process: each row once."""

import time

import pytest

from qmon_agent.domain.errors import QueryError
from qmon_agent.domain.retention import Bound, Hold, Policy
from qmon_agent.store.telemetry import StateTable
from qmon_agent.store.telemetry.engines.clickhouse.server import AwayError
from qmon_agent.store.telemetry.schema import BY_NAME
from qmon_sdk.protocol.signals import Error, Point, Span

DAY = 86_400 * 10**9


def spans(count, start=0):
    now = time.time_ns()
    return [
        Span(time=now + place, name=f"route{place % 3}", duration_ns=start + place)
        for place in range(count)
    ]


class Unreliable:
    """A server whose connection breaks after some blocks: before, or behind what it did."""

    def __init__(self, server, good):
        self.server, self.good = server, good

    def send(self, table, data, *, name):
        if self.good == 0:
            raise AwayError("gone")
        self.good -= 1
        self.server.send(table, data, name=name)
        if self.good == 0:
            raise AwayError("gone before it answered")

    def __getattr__(self, name):
        return getattr(self.server, name)


class TestStore:
    def test_keeps_what_the_journal_has(self, bench):
        bench.store(*spans(10), Point(time=time.time_ns(), metric="m", buckets={3: 4}))

        assert [[10, 45]] == bench.rows("SELECT count(), sum(duration_ns) FROM spans")
        assert [[{"3": 4}]] == bench.rows("SELECT buckets FROM points")
        assert bench.engine.kept().rows["spans"] == 10

    def test_goes_on_where_it_was(self, bench):
        bench.store(*spans(10))
        bench.reopen()
        bench.store(*spans(10, start=10))

        assert [[20, 190]] == bench.rows("SELECT count(), sum(duration_ns) FROM spans")

    def test_knows_of_each_process_the_last_word(self, bench):
        bench.store(*spans(1))
        bench.reopen()
        bench.store(*spans(1))

        assert [["shop"]] == bench.rows("SELECT service FROM resources")

    @pytest.mark.parametrize("good", [0, 1, 2, 3, 4])
    def test_has_everything_once_wherever_the_connection_broke(self, bench, good):
        now = time.time_ns()
        server = bench.engine._server
        bench.engine._server = Unreliable(server, good)
        signals = [Span(time=now - day * DAY, name="a") for day in range(3)]
        bench.store(*signals, Error(time=now, type="E"))
        lagging = bench.engine.trouble
        bench.reopen()
        bench.follow()

        assert [[3, 3]] == bench.rows("SELECT count(), uniq(time) FROM spans")
        assert [[1]] == bench.rows("SELECT count() FROM errors")
        assert ("gone" in lagging, bench.engine.trouble) == (True, "")

    def test_takes_no_more_while_the_server_is_away_and_catches_up(self, bench):
        server = bench.engine._server
        bench.engine._server = Unreliable(server, 0)
        for start in range(5):
            bench.store(*spans(2, start=start))
        assert 1 == bench.engine.counts()["waiting_parcels"]

        bench.engine._server, bench.engine._not_before = server, 0
        bench.follow()

        assert [[10]] == bench.rows("SELECT count() FROM spans")
        assert 5 == bench.engine.stored.record_id

    def test_begins_anew_with_another_journal(self, bench):
        bench.store(*spans(3))
        bench.engine.begin_anew()

        assert 0 == bench.engine.stored.record_id == bench.engine.taken.record_id


class TestAges:
    def kept(self, bench, table):
        server = bench.engine._server
        with server.asked() as client:
            return server._engine(client, BY_NAME[table])

    def test_are_the_retention_and_follow_it(self, bench):
        assert "TTL" not in self.kept(bench, "spans")
        bench.options = {"policy": Policy(kinds={"span": Bound(age_ns=DAY)})}
        bench.reopen()

        assert "toIntervalSecond(86400)" in self.kept(bench, "spans")
        assert "TTL" not in self.kept(bench, "logs")

    def test_wait_while_something_is_held(self, bench):
        bench.options = {"policy": Policy(kinds={"span": Bound(age_ns=DAY)})}
        bench.reopen()
        bench.engine.hold([Hold(id="1", kinds=("span",))])
        held = self.kept(bench, "spans")
        bench.engine.hold([])

        assert "TTL" not in held
        assert "toIntervalSecond(86400)" in self.kept(bench, "spans")


class TestAnswers:
    def test_are_plain(self, bench):
        bench.store(*spans(1))
        row = bench.rows(
            "SELECT toDateTime('2020-01-02 03:04:05', 'UTC') AS a, toDate('2020-01-02') AS b,"
            " [toDateTime64('2020-01-02 03:04:05.123456789', 9, 'UTC')] AS c, NULL AS d, nan AS e,"
            " map('k', 1) AS f, toInt128(5) AS g"
        )

        assert [
            [
                "2020-01-02T03:04:05.000000000Z",
                "2020-01-02",
                ["2020-01-02T03:04:05.123456789Z"],
                None,
                None,
                {"k": 1},
                5,
            ]
        ] == row

    def test_are_cut_and_say_so(self, bench):
        bench.store(*spans(30))
        answer = bench.ask("SELECT * FROM spans", limit=7)

        assert (7, True) == (len(answer.rows), answer.truncated)

    def test_end_in_time(self, bench):
        with pytest.raises(QueryError, match="longer than 1 s"):
            bench.ask("SELECT sum(number) FROM numbers(1000000000000)", timeout_s=1)

    def test_know_the_rows_of_the_state_store(self, bench):
        bench.store(*spans(3))
        columns = {"name": "text", "at": "time", "tags": "labels", "open": "flag"}
        row = {"name": "it's", "at": 10**9, "tags": {"a": "b"}, "open": True}
        state = {"alerts": StateTable(columns=columns, rows=[row, {"name": "none"}])}
        asked = "WITH x AS (SELECT * FROM alerts) SELECT name, at, tags, open FROM x ORDER BY at"

        assert [
            ["it's", "1970-01-01T00:00:01.000000000Z", {"a": "b"}, True],
            ["none", None, {}, None],
        ] == bench.rows(asked, state=state)
        assert [] == bench.rows(
            "SELECT * FROM alerts", state={"alerts": StateTable(columns=columns)}
        )

    def test_say_what_tables_there_are(self, bench):
        assert ["spans"] in bench.rows("SHOW TABLES")
        assert "duration_ns" in [row[0] for row in bench.rows("DESCRIBE spans")]
        assert bench.rows("EXPLAIN SELECT * FROM spans")
