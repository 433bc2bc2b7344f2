"""Somebody is forgotten in ClickHouse: every row that names them but those that are held."""

import asyncio
import time

import pytest

from qmon_agent.domain.retention import Hold
from qmon_agent.store.telemetry.forgetting import CLICKHOUSE, counting
from qmon_agent.store.telemetry.schema import BY_NAME
from qmon_sdk.protocol.signals import Error, Event, Log, Point, Span
from tests.clickhouse.test_clickhouse_kills import Load

NAME, NOW = "o'neil \\ 50%", time.time_ns()
THEIRS = (
    Event(time=NOW, name="a", user_id=NAME),
    Event(time=NOW, name="b", anonymous_id=NAME),
    Error(time=NOW, type="E", user_id=NAME),
    Span(time=NOW, attributes={"enduser.id": NAME}),
    Log(time=NOW, attributes={"user.name": NAME}),
    Point(time=NOW, metric="m", value=1.0, attributes={"user": NAME}),
)
OTHERS = (
    Event(time=NOW, name="c", user_id="o"),
    Event(time=NOW, name="d"),
    Span(time=NOW, attributes={"other": NAME}),
    Log(time=NOW, body=NAME),
    Point(time=NOW, metric="m", value=1.0),
)
GONE = {"events": 2, "errors": 1, "spans": 1, "logs": 1, "points": 1}
PARTS = {f"points_{tier}_parts": 1 for tier in ("1m", "1h", "1d")}


def forget(bench, user=NAME):
    bench.engine.erase(user)
    while bench.engine.busy():
        time.sleep(0.01)
    return bench.engine.erased()


class TestForget:
    def test_takes_every_row_that_names_them_and_no_other(self, bench):
        bench.store(*THEIRS, *OTHERS)
        erased = forget(bench)
        kept = bench.engine.kept().rows

        assert GONE | PARTS == erased.removed
        assert {"events": 2, "errors": 0, "spans": 1, "logs": 1, "points": 1} == {
            name: kept[name] for name in GONE
        }
        assert [[1, 1.0]] == bench.rows("SELECT sum(points), sum(sum) FROM points_1d")
        assert {} == forget(bench).removed

    def test_leaves_what_is_held_and_says_so(self, bench):
        bench.store(*THEIRS)
        bench.engine.hold([Hold(id="1", kinds=("event",), until=NOW + 1), Hold(id="2", user="x")])
        erased = forget(bench)

        assert {"events": 2} == erased.held
        assert "events" not in erased.removed
        assert [[2]] == bench.rows("SELECT count() FROM events")

    def test_is_foretold_by_a_question_that_the_guard_lets_pass(self, bench):
        bench.store(*THEIRS, *OTHERS)
        rows = bench.rows(counting(NAME, [Hold(id="1", kinds=("log",))], words=CLICKHOUSE))

        assert GONE | {"logs": 0} == {name: n for name, n, _ in rows if n or name == "logs"}
        assert {"logs": 1} == {name: n for name, _, n in rows if n}

    def test_does_not_bring_them_back_with_a_block_that_comes_again(self, bench):
        bench.store(*THEIRS)
        parcel = max((bench.directory / "telemetry" / "outgoing").glob("*"), default=None)
        forget(bench)
        bench.reopen()
        bench.follow()

        assert parcel.name == "mark"
        assert [[0]] == bench.rows("SELECT count() FROM events")

    def test_is_booked_and_stays_so(self, bench):
        bench.store(*THEIRS, *OTHERS)
        forget(bench)
        told = bench.engine.kept()
        bench.reopen()
        after = bench.engine.kept()

        assert GONE == {name: told.forgotten[name] for name in GONE}
        assert (told.forgotten, True) == (after.forgotten, after.is_counted)

    @pytest.mark.parametrize("is_deleted", [False, True])
    def test_is_booked_once_where_an_agent_was_killed_in_the_midst(self, bench, is_deleted):
        bench.store(*THEIRS)
        book = bench.engine._book
        book.begin("events", NAME, 2)
        if is_deleted:
            events = bench.engine._server.layout.local(BY_NAME["events"])
            with bench.engine._server.asked() as client:
                client.command(f"DELETE FROM {events} WHERE name IN ('a', 'b')")
            bench.store(THEIRS[0])
        bench.reopen()
        before = bench.engine.kept()
        erased = forget(bench)
        after = bench.engine.kept()

        assert (False, True) == (before.is_counted, after.is_counted)
        assert 2 + is_deleted == erased.removed["events"] == after.forgotten["events"]


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_the_worker_answers_what_it_did_and_goes_on(tmp_path):
    pytest.importorskip("chdb")
    load = Load(tmp_path)
    await load.store.start()
    load.write(Event(time=1, name="a", user_id=NAME))
    assert await load.store.caught_up(load.sequence, timeout_s=60)
    erased = await load.store.forget(NAME, upto=load.sequence)
    load.write()
    assert await load.store.caught_up(load.sequence, timeout_s=60)
    async with asyncio.timeout(30):
        rows = (await load.store.query("SELECT count() FROM events")).rows
    await load.store.stop()
    load.journal.close()

    assert {"events": 1} == erased.removed
    assert [[0]] == rows
