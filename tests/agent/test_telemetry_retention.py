"""What is given up, by age, by bytes and by service; and what may not be: it is held."""

import random
import time

import pytest

from qmon_agent.domain.retention import Bound, Hold, Policy
from qmon_agent.store.telemetry.engines.duckdb import moving
from qmon_agent.store.telemetry.manifest import load
from qmon_agent.store.telemetry.options import TelemetryOptions
from qmon_agent.store.telemetry.taken import bytes_under, room_of
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame
from qmon_sdk.protocol.signals import Log, Span
from tests.agent.test_telemetry_engine import DAY, NS, PROCESS, Bench

OLD = 20 * DAY
BY_SERVICE = "select service, count(*) from spans group by all order by all"


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()
    made.journal.close()


def keep(bench, kinds=(), services=(), holds=()):
    """Opens the store anew, with these bounds and holds."""
    bench.policy = Policy(kinds=dict(kinds), services=dict(services))
    bench.reopen()
    bench.engine.hold(holds)


def store_of(bench, service, *signals):
    bench.sequence += 1
    resource = Resource(service=service)
    blocks = blocks_of(signals)
    frame = Frame(process=PROCESS, sequence=bench.sequence, resource=resource, blocks=blocks)
    bench.write_raw(encode_frame(frame))
    bench.follow()


def turn(bench, rounds=1):
    """So many rounds of giving up, each as if the last one was long ago."""
    for number in range(rounds):
        bench.engine.tend(now=time.time_ns() + number * 2 * moving.SWEEP_NS)
        while bench.engine.busy():
            time.sleep(0.005)


def files(bench):
    return sorted((bench.directory / "telemetry" / "segments" / "spans").rglob("*.parquet"))


class TestByAge:
    def test_gives_up_the_rows_of_one_service_and_keeps_the_others(self, bench):
        store_of(bench, "shop", Span(time=1))
        store_of(bench, "bank", Span(time=2), Span(time=3))
        bench.export()
        keep(bench, services={"shop": {"span": Bound(age_ns=DAY)}})
        turn(bench)

        assert bench.rows(BY_SERVICE) == [["bank", 2]]
        assert bench.engine.counts()["thinned_segments"] == 1

    def test_removes_the_file_in_whose_place_another_was_put(self, bench):
        store_of(bench, "shop", Span(time=1))
        store_of(bench, "bank", Span(time=2))
        bench.export()
        keep(bench, services={"shop": {"span": Bound(age_ns=DAY)}})
        turn(bench, rounds=2)

        assert ["00000001~1.parquet"] == [path.name for path in files(bench)]

    def test_keeps_a_service_longer_than_the_others(self, bench):
        store_of(bench, "shop", Span(time=1))
        store_of(bench, "bank", Span(time=2))
        bench.export()
        keep(
            bench,
            kinds={"span": Bound(age_ns=DAY)},
            services={"bank": {"span": Bound(age_ns=100_000 * DAY)}},
        )
        turn(bench)

        assert bench.rows(BY_SERVICE) == [["bank", 1]]

    def test_leaves_a_file_alone_in_which_nobody_is_too_old(self, bench):
        store_of(bench, "shop", Span(time=time.time_ns()))
        bench.export()
        before = files(bench)
        keep(bench, services={"shop": {"span": Bound(age_ns=DAY)}})
        turn(bench, rounds=2)

        assert before == files(bench)

    def test_knows_what_is_left_when_its_list_is_lost(self, bench):
        store_of(bench, "shop", Span(time=1))
        store_of(bench, "bank", Span(time=2))
        bench.export()
        keep(bench, services={"shop": {"span": Bound(age_ns=DAY)}})
        turn(bench)
        (bench.directory / "telemetry" / "manifest.json").write_bytes(b"")
        bench.reopen()

        assert bench.rows(BY_SERVICE) == [["bank", 1]]


class TestByBytes:
    def test_gives_up_the_oldest_whole_segments_of_the_kind(self, bench):
        for day in range(4):
            store_of(bench, "shop", Span(time=day * DAY), Log(time=day * DAY))
            bench.export()
        size = max(path.stat().st_size for path in files(bench))
        keep(bench, kinds={"span": Bound(bytes=2 * size)})
        turn(bench)

        assert bench.rows("select epoch_ns(time) from spans order by time") == [
            [2 * DAY],
            [3 * DAY],
        ]
        assert bench.rows("select count(*) from logs") == [[4]]


class TestByDisk:
    def fill(self, bench, holds=()):
        """Four days of spans and logs, and a disk that has room for the half of them."""
        for day in range(4):
            wide = random.Random(day).randbytes(200_000).hex()
            signals = Span(time=day * DAY, events=wide), Log(time=day * DAY, body=wide)
            store_of(bench, "shop", *signals)
            bench.export()
        segments = load(bench.directory / "telemetry").segments
        size = sum(each.bytes for each in segments if each.table in {"spans", "logs"})
        others = sum(each.bytes for each in segments) - size
        keep(bench, holds=holds)
        home = bench.directory / "telemetry"
        beside = bytes_under(home, leaving=home / "segments")
        beside += bytes_under(bench.directory / "journal")
        bench.disk_bytes = beside + others + size * 5 // 8
        keep(bench, holds=holds)
        turn(bench)

    def left(self, bench, table):
        return [
            row[0] // DAY for row in bench.rows(f"select epoch_ns(time) from {table} order by time")
        ]

    def test_gives_up_the_oldest_segments_of_all_kinds(self, bench):
        self.fill(bench)

        assert {3} <= {*self.left(bench, "spans")} <= {1, 2, 3}
        assert {3} <= {*self.left(bench, "logs")} <= {1, 2, 3}
        assert bench.engine.counts()["disk_segments"] >= 2

    def test_never_gives_up_what_is_held(self, bench):
        self.fill(bench, holds=[Hold(id="a", kinds=("span",), until=2 * DAY)])

        assert {0, 1} <= {*self.left(bench, "spans")}
        assert 0 not in self.left(bench, "logs")
        assert bench.engine.counts()["held_segments"]

    def test_leaves_a_tenth_to_the_segments_whatever_else_has_grown(self, tmp_path):
        (tmp_path / "journal").mkdir()
        (tmp_path / "journal" / "a").write_bytes(b"x" * 5_000)
        options = TelemetryOptions(
            directory=str(tmp_path), journal=str(tmp_path / "journal"), disk_bytes=4_000
        )

        assert room_of(options, "segments") == 400


class TestHolds:
    @pytest.mark.parametrize(
        ("hold", "left"),
        [
            (Hold(id="a"), [["bank", 1], ["shop", 1]]),
            (Hold(id="a", service="shop"), [["bank", 1], ["shop", 1]]),
            (Hold(id="a", user="ann"), [["bank", 1], ["shop", 1]]),
            (Hold(id="a", kinds=("log",)), []),
            (Hold(id="a", since=OLD), []),
        ],
    )
    def test_keep_what_is_older_than_it_may_be(self, bench, hold, left):
        store_of(bench, "shop", Span(time=1))
        store_of(bench, "bank", Span(time=2))
        bench.export()
        keep(bench, kinds={"span": Bound(age_ns=DAY)}, holds=[hold])
        turn(bench)

        assert left == bench.rows(BY_SERVICE)
        assert bench.engine.counts()["held_segments"] == bool(left)

    def test_keep_what_is_too_much(self, bench):
        for day in range(3):
            store_of(bench, "shop", Span(time=day * DAY))
            bench.export()
        hold = Hold(id="a", until=DAY)
        keep(bench, kinds={"span": Bound(bytes=1)}, holds=[hold])
        turn(bench)

        assert bench.rows("select epoch_ns(time) from spans") == [[0]]

    def test_keep_one_service_where_another_is_thinned_out(self, bench):
        store_of(bench, "shop", Span(time=1))
        store_of(bench, "bank", Span(time=2))
        store_of(bench, "post", Span(time=3))
        bench.export()
        old = {"span": Bound(age_ns=DAY)}
        keep(
            bench,
            services={"shop": old, "bank": old},
            holds=[Hold(id="a", service="shop")],
        )
        turn(bench)

        assert bench.rows(BY_SERVICE) == [["post", 1], ["shop", 1]]

    def test_that_are_removed_let_go_of_it(self, bench):
        store_of(bench, "shop", Span(time=1))
        bench.export()
        keep(bench, kinds={"span": Bound(age_ns=DAY)}, holds=[Hold(id="a")])
        turn(bench)
        bench.engine.hold([])
        turn(bench, rounds=2)

        assert bench.rows(BY_SERVICE) == []


class TestSpeakers:
    def test_are_known_as_long_as_any_kind_is_kept_for_ever(self, bench):
        store_of(bench, "shop", Span(time=1))
        bench.export()
        keep(bench, kinds={"span": Bound(age_ns=NS)})
        turn(bench, rounds=2)

        assert bench.rows("select service from resources") == [["shop"]]
