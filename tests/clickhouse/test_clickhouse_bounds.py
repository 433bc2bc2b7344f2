"""What is kept of each kind and service by a server: by age, by bytes, and whatever is held."""

import os
import time

import pytest

from qmon_agent.domain.retention import Bound, Hold, Policy
from qmon_agent.store.telemetry.engines.clickhouse import bounding
from qmon_agent.store.telemetry.engines.clickhouse.engine import ClickEngine
from qmon_agent.store.telemetry.schema import TABLES
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Log, Point
from tests.clickhouse.conftest import SHOP, Bench

DAY = 86_400 * 10**9
NOW = time.time_ns()
CART = Resource(service="it's a cart", release="7", environment="test", host="box")
DAYS = "SELECT dateDiff('day', toDate(time), today()) AS day, service, count() FROM logs"
LOGS = TABLES["log"]


def fill(bench, *, days=(0, 1, 2, 3), rows=20):
    """Rows of both services on each day, which do not pack, and so are alike in size."""
    for resource in (SHOP, CART):
        logs = [
            Log(time=NOW - day * DAY, body=os.urandom(500).hex())
            for day in days
            for _ in range(rows)
        ]
        bench.store(*logs, resource=resource)


def left(bench):
    """Day → services that have rows of it."""
    found: dict[int, set[str]] = {}
    for day, service, _ in bench.rows(f"{DAYS} GROUP BY day, service"):
        found.setdefault(day, set()).add(service)
    return found


def day_bytes(bench):
    """What a day takes, at most."""
    with bench.engine._server.asked() as client:
        rows = client.query(bounding.pieces(LOGS, bench.engine._server.layout)).result_rows
    return max(size for _, size, _ in rows)


def bound(bench, **policy):
    bench.options = {"policy": Policy(**policy)}
    bench.reopen()


BOTH = {SHOP.service, CART.service}


class TestBytes:
    def test_of_a_kind_let_its_oldest_days_go(self, bench):
        fill(bench)
        bench.store(Point(time=NOW - 3 * DAY, metric="m"))
        bound(bench, kinds={"log": Bound(bytes=day_bytes(bench) * 5 // 2)})
        bench.tend()
        bench.tend()

        assert {0: BOTH, 1: BOTH} == left(bench)
        assert [[1]] == bench.rows("SELECT count() FROM points")
        assert 2 == bench.engine.counts()["expired_segments"]

    def test_leave_the_day_that_goes_on(self, bench):
        fill(bench)
        bound(bench, kinds={"log": Bound(bytes=1)})
        bench.tend()

        assert {0: BOTH} == left(bench)

    def test_of_rollups_let_their_oldest_go(self, bench):
        bench.store(Point(time=NOW, metric="m"), Point(time=NOW - 40 * DAY, metric="m"))
        bound(bench, kinds={"points_1h": Bound(bytes=1), "points_1m": Bound(bytes=1)})
        bench.tend()

        counted = ("SELECT count() FROM points", "SELECT count() FROM points_1d")
        assert [[[2]], [[2]]] == [bench.rows(asked) for asked in counted]
        assert [[1]] == bench.rows("SELECT count() FROM points_1h")
        assert [[1]] == bench.rows("SELECT count() FROM points_1m")

    def test_of_a_service_take_its_rows_out_of_the_oldest(self, bench):
        fill(bench)
        size = day_bytes(bench) * 3 // 4  # of a day and a half of half the rows
        bound(bench, services={CART.service: {"log": Bound(bytes=size)}})
        bench.tend()
        settle(bench)
        bench.tend()

        assert {0: BOTH, 1: {SHOP.service}, 2: {SHOP.service}, 3: {SHOP.service}} == left(bench)
        assert 3 == bench.engine.counts()["thinned_segments"]

    def test_are_looked_after_by_several_agents_as_by_one(self, bench, tmp_path):
        fill(bench)
        bound(bench, kinds={"log": Bound(bytes=day_bytes(bench) * 5 // 2)})
        other = Bench(tmp_path / "other", bench.address, **bench.options)
        for each in (bench, other, bench):
            each.tend()
        other.close()

        assert {0: BOTH, 1: BOTH} == left(bench)

    def test_are_named_twice_without_an_error(self, bench):
        fill(bench, days=(0, 2))
        gone = bounding.drop(LOGS, _day(2), bench.engine._server.layout)
        with bench.engine._server.asked() as client:
            client.command(gone)
            client.command(gone)

        assert {0: BOTH} == left(bench)


class TestHolds:
    def test_keep_the_days_that_they_are_about(self, bench):
        fill(bench)
        bound(bench, kinds={"log": Bound(bytes=1)})
        bench.engine.hold([Hold(id="1", since=NOW - 2 * DAY, until=NOW - 2 * DAY + 1)])
        bench.tend()
        held = left(bench), bench.engine.counts()["held_segments"]
        bench.engine.hold([])
        bench.tend()

        assert ({0: BOTH, 2: BOTH}, 1) == held
        assert {0: BOTH} == left(bench)
        assert 0 == bench.engine.counts()["held_segments"]

    def test_keep_a_service_where_another_goes(self, bench):
        fill(bench)
        few = {"log": Bound(bytes=1)}
        bound(bench, services={SHOP.service: few, CART.service: few})
        bench.engine.hold([Hold(id="1", service=CART.service)])
        bench.tend()
        settle(bench)

        assert {0: BOTH, 1: {CART.service}, 2: {CART.service}, 3: {CART.service}} == left(bench)

    def test_end_what_is_on_its_way_out(self, bench):
        fill(bench, days=(0, 2))
        bound(bench, services={CART.service: {"log": Bound(bytes=1)}})
        server = bench.engine._server
        with server.asked() as client:
            client.command(f"SYSTEM STOP MERGES {server.layout.local(LOGS)}")
        bench.tend()
        bench.engine.hold([Hold(id="1", service=CART.service)])
        with server.asked() as client:
            client.command(f"SYSTEM START MERGES {server.layout.local(LOGS)}")
        settle(bench)

        assert 1 == bench.engine.counts()["thinned_segments"]
        assert {0: BOTH, 2: BOTH} == left(bench)


class TestAges:
    def test_of_services_are_their_own(self, bench):
        fill(bench, days=(0, 3, 9))
        ages = {"log": Bound(age_ns=6 * DAY)}, {"log": Bound(age_ns=DAY)}
        bound(bench, kinds=ages[0], services={CART.service: ages[1]})
        expire(bench)

        assert {0: BOTH, 3: {SHOP.service}} == left(bench)

    def test_of_services_may_be_for_ever_for_everybody_else(self, bench):
        fill(bench, days=(0, 3, 9))
        bound(bench, services={CART.service: {"log": Bound(age_ns=DAY)}})
        expire(bench)

        assert {0: BOTH, 3: {SHOP.service}, 9: {SHOP.service}} == left(bench)

    def test_of_services_come_and_go(self, bench):
        bound(bench, services={CART.service: {"log": Bound(age_ns=DAY)}})
        bound(bench, kinds={"log": Bound(age_ns=5 * DAY)})
        with bench.engine._server.asked() as client:
            kept = bench.engine._server._engine(client, LOGS)

        assert "ttl_only_drop_parts = 1" in kept
        assert "TTL toDateTime(time) + toIntervalSecond(432000) " in kept

    def test_are_said_to_the_server_once(self, bench):
        bound(bench, services={CART.service: {"log": Bound(age_ns=DAY), "span": Bound(bytes=9)}})
        server = bench.engine._server
        with server.asked() as client:
            kept = server._engine(client, LOGS)

        assert [] == bounding.ddl.keep(LOGS, server.layout, full_engine=kept)

    @pytest.mark.parametrize("years", [41, 100, 5_000])
    def test_beyond_what_a_server_counts_are_for_ever(self, bench, years):
        fill(bench, days=(0, 9))
        bound(bench, kinds={"log": Bound(age_ns=years * 365 * DAY)})
        expire(bench)

        assert {0: BOTH, 9: BOTH} == left(bench)

    def test_wait_while_something_is_held(self, bench):
        bound(bench, services={CART.service: {"log": Bound(age_ns=DAY)}})
        bench.engine.hold([Hold(id="1", user="ann")])
        fill(bench, days=(0, 9))
        expire(bench)
        held = left(bench)
        bench.engine.hold([])
        expire(bench)

        assert {0: BOTH, 9: BOTH} == held
        assert {0: BOTH, 9: {SHOP.service}} == left(bench)


def expire(bench):
    """What the server does within some hours."""
    server = bench.engine._server
    settle(bench)
    with server.asked() as client:
        client.command(f"OPTIMIZE TABLE {server.layout.local(LOGS)} FINAL")


def settle(bench):
    """Until the server has nothing to do any more for what it was told."""
    assert isinstance(bench.engine, ClickEngine)
    asked = "SELECT count() FROM system.mutations WHERE NOT is_done"
    for _ in range(1_000):
        with bench.engine._server.asked() as client:
            if client.query(asked).result_rows == [(0,)]:
                return
        time.sleep(0.01)
    raise AssertionError("the server is not done")


def _day(ago):
    return time.strftime("%Y%m%d", time.gmtime((NOW - ago * DAY) // 10**9))
