"""Who spoke is in a table: one row for each process, joined by every signal of it."""

from collections import Counter

import pytest

from qmon_agent.domain.retention import Bound, Policy, clear
from qmon_agent.store.telemetry import speakers
from qmon_agent.store.telemetry.manifest import load
from qmon_agent.store.telemetry.retention import lots_of, with_speakers
from qmon_agent.store.telemetry.schema import TABLES
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame
from qmon_sdk.protocol.signals import Span
from tests.agent.test_telemetry_engine import DAY, PROCESS, Bench

BY_TEAM = """
SELECT r.attributes['team'] AS team, count(*) FROM spans JOIN resources r USING (process)
GROUP BY team ORDER BY team
"""
OTHER = bytes(16)
PAIRS = [("team", "till"), ("pod", "web-1")]


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()
    made.journal.close()


def tell(bench: Bench, *, process=PROCESS, spans=1, sent=5, **attributes):
    bench.sequence += 1
    blocks = blocks_of([Span(time=number) for number in range(spans)])
    who = Resource(service="shop", pid=7, started=3, sdk="ours", attributes=attributes)
    frame = Frame(
        process=process, sequence=bench.sequence, sent=sent, resource=who, blocks=tuple(blocks)
    )
    bench.write_raw(encode_frame(frame))
    bench.follow()


class TestResources:
    def test_are_joined_by_the_signals_of_their_process(self, bench):
        tell(bench, team="till", spans=2)
        tell(bench, process=OTHER, team="stock")

        assert bench.rows(BY_TEAM) == [["stock", 1], ["till", 2]]

    def test_say_who_it_is(self, bench):
        tell(bench, team="till")

        told = bench.rows("SELECT service, process, pid, sdk, attributes FROM resources")

        assert told == [["shop", PROCESS.hex(), 7, "ours", {"team": "till"}]]

    def test_are_written_once_and_not_with_every_frame(self, bench):
        for _ in range(3):
            tell(bench, team="till")

        assert bench.engine.kept().rows["resources"] == 1

    def test_hold_the_last_word_of_a_process(self, bench):
        tell(bench, team="till")
        tell(bench, team="stock", sent=6)

        assert bench.rows(BY_TEAM) == [["stock", 2]]
        assert bench.engine.kept().rows["resources"] == 1

    def test_are_told_once_whatever_generations_say_them(self, bench):
        tell(bench, team="till")
        bench.export()
        tell(bench, team="stock", sent=6)

        assert bench.engine.kept().rows["resources"] == 2
        assert bench.rows(BY_TEAM) == [["stock", 2]]

    def test_are_written_once_by_those_who_come_after_a_kill(self, bench):
        tell(bench, team="till")
        bench.reopen()
        tell(bench, team="till")

        assert bench.engine.kept().rows["resources"] == 1

    def test_are_not_written_for_a_frame_without_rows(self, bench):
        tell(bench, spans=0, team="till")

        assert bench.rows("SELECT * FROM resources") == []

    def test_of_a_flood_of_processes_are_bounded_and_counted(self):
        many = dict.fromkeys(map(str, range(speakers.MOST_PROCESSES)))
        counts, new = Counter(), speakers.Speaker("new", 0, Resource(service="shop"))
        known = speakers.Speaker("7", 0, Resource(service="shop"))

        assert [known] == speakers.Roll(many, counts).news({"new": new, "7": known})
        assert {"resources_left_out": 1} == counts

    def test_with_the_same_attributes_in_another_order_are_the_same(self):
        roll = speakers.Roll({}, Counter())
        first, second = (Resource(attributes=dict(pairs)) for pairs in (PAIRS, PAIRS[::-1]))
        roll.write([speakers.Speaker("7", 0, first)])

        assert [] == roll.news({"7": speakers.Speaker("7", 0, second)})

    def test_too_long_are_cut_and_counted(self, bench):
        tell(bench, team="till", story="x" * speakers.MOST_BYTES)

        assert bench.rows("SELECT attributes FROM resources") == [[{"team": "till"}]]
        assert bench.engine.counts()["resources_cut"] == 1

    def test_with_numbers_no_table_holds_are_kept_without_them(self, bench):
        tell(bench, sent=(1 << 64) - 1, team="till")

        assert bench.rows(BY_TEAM) == [["till", 1]]


class TestRetention:
    def segments(self, bench):
        tell(bench, team="till")
        bench.export()
        (known,) = [each for each in self.listed(bench) if each.table == "resources"]
        return known

    def listed(self, bench):
        return load(bench.directory / "telemetry").segments

    def given_up(self, known, *, days, kinds):
        policy = with_speakers(Policy(kinds=kinds))
        return clear(lots_of([known]), policy, now=known.written + days * DAY).drop

    def test_of_who_spoke_is_that_of_the_kind_kept_longest(self, bench):
        known = self.segments(bench)
        kinds = {**dict.fromkeys(TABLES, Bound(age_ns=DAY)), "log": Bound(age_ns=3 * DAY)}

        assert not self.given_up(known, days=2, kinds=kinds)
        assert self.given_up(known, days=4, kinds=kinds)

    def test_of_who_spoke_has_no_end_while_that_of_a_kind_has_none(self, bench):
        known = self.segments(bench)

        assert not self.given_up(known, days=900, kinds={"span": Bound(age_ns=1)})
