"""Small segments become larger ones, and no row is lost or there twice, whenever it is killed."""

import time
from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.store.telemetry import manifest as manifests
from qmon_agent.store.telemetry.engines.duckdb.joining import Joiner
from qmon_agent.store.telemetry.engines.duckdb.relisting import read_listing
from qmon_agent.store.telemetry.joins import Limits, next_join
from qmon_agent.store.telemetry.ledger import Ledger
from qmon_agent.store.telemetry.manifest import Segment
from qmon_agent.store.telemetry.options import TelemetryOptions
from qmon_agent.store.telemetry.stretches import Stretch, covered, stretch_of
from qmon_sdk.protocol.signals import Point, Span
from tests.agent.test_telemetry_engine import DAY, Bench
from tests.agent.test_telemetry_rollups import roll

EXPORTS = 9
LIMITS = Limits(rows=1_000, bytes=1 << 20)
COUNT = "select count(*), count(distinct span_id), sum(duration_ns)::bigint from spans"


def segment(generation, rows=10, *, day="2026-11-01", part=0, width=100):
    name = Stretch(generation, generation, part).file
    return Segment(
        file=f"segments/spans/{day}/{name}",
        table="spans",
        day=day,
        rows=rows,
        bytes=rows * 20,
        sha256="",
        oldest=0,
        newest=0,
        written=0,
        columns=(),
        width=width,
    )


class TestNames:
    @given(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 200))
    def test_are_read_as_they_were_written(self, first, more, part):
        stretch = Stretch(first, first + more, 0 if more else part)

        assert stretch == stretch_of(f"segments/spans/2026-11-01/{stretch.file}")

    def test_of_others_say_nothing(self):
        assert stretch_of("segments/older.parquet") is None

    def test_say_what_was_joined_into_what(self):
        files = [f"s/t/d/{Stretch(*each).file}" for each in ((1, 1), (3, 3, 2), (1, 3), (4, 4))]

        assert covered([*files, "s/t/e/00000001.parquet"]) == frozenset(files[:2])


class TestChoice:
    def test_waits_for_many_on_a_day_that_grows(self):
        few = [segment(number, day="1970-01-02") for number in range(1, 8)]

        assert next_join(few, LIMITS, now=DAY + 1) == ()
        assert len(next_join([*few, segment(8, day="1970-01-02")], LIMITS, now=DAY + 1)) == 8

    def test_leaves_large_ones_and_parts_alone(self):
        inside = [segment(1, 600), segment(2), segment(3, part=1), segment(4), segment(5)]

        assert next_join(inside, LIMITS, now=10**19) == tuple(inside[3:])

    @given(st.lists(st.tuples(st.integers(1, 700), st.sampled_from([100, 2_000])), max_size=30))
    def test_ends_within_its_limits_having_written_each_row_seldom(self, drawn):
        inside = [segment(n, rows, width=width) for n, (rows, width) in enumerate(drawn, 1)]
        written = 0
        while parts := next_join(inside, LIMITS, now=10**19):
            rows = sum(each.rows for each in parts)
            written += rows
            assert rows <= LIMITS.rows
            numbers = [stretch_of(each.file) for each in parts]
            whole = msgspec.structs.replace(
                parts[0],
                file=f"segments/spans/d/{Stretch(numbers[0].first, numbers[-1].last).file}",
                rows=rows,
            )
            inside = [each for each in inside if each not in parts] + [whole]

        assert sum(each.rows for each in inside) == sum(rows for rows, _ in drawn)
        assert written <= 11 * sum(rows for rows, _ in drawn)


@pytest.fixture
def bench(tmp_path):
    """A store with nine small segments of one past day, and a little in the hot file."""
    made = Bench(tmp_path)
    made.engine._joiner._not_before = 1 << 62  # not before the test says so
    for number in range(EXPORTS):
        many = [Span(time=each, span_id=f"{number}-{each}", duration_ns=each) for each in range(50)]
        made.store(*many, Point(time=number, metric="m", value=2.0, minimum=2.0, maximum=9.0))
        made.export()
    roll(made)
    made.store(Span(time=1, span_id="hot"))
    yield made
    made.close()
    made.journal.close()


def joined(bench):
    """Let it join all there is, as if the day had ended long ago."""
    joiner, later = bench.engine._joiner, time.time_ns() + 2 * DAY
    while next_join(bench.engine._ledger.manifest.segments, joiner._limits, now=later):
        joiner._not_before = 0
        joiner.tend(now=later)
        joiner.wait()
    joiner._not_before = 1 << 62


def listed(bench):
    return [
        stretch_of(each.file)
        for each in manifests.load(bench.directory / "telemetry").segments
        if each.table == "spans"
    ]


ALL = [[50 * EXPORTS + 1, 50 * EXPORTS + 1, EXPORTS * 49 * 25]]


class TestJoining:
    def test_makes_one_of_many_and_answers_as_before(self, bench):
        points = bench.rows("select * from points order by time")
        joined(bench)

        assert listed(bench) == [Stretch(1, EXPORTS)]
        assert bench.rows(COUNT) == ALL
        assert bench.rows("select * from points order by time") == points

    def test_leaves_the_parts_for_who_read_the_list_before(self, bench):
        before = manifests.load(bench.directory / "telemetry").segments
        joined(bench)

        assert all((bench.directory / "telemetry" / each.file).exists() for each in before)
        bench.reopen()
        assert not any((bench.directory / "telemetry" / each.file).exists() for each in before)
        assert bench.rows(COUNT) == ALL

    def test_is_known_again_when_the_list_is_lost(self, bench):
        joined(bench)
        before = manifests.load(bench.directory / "telemetry")
        (bench.directory / "telemetry" / "manifest.json").write_bytes(b"")

        found = read_listing(bench.engine._options).manifest

        assert {each.file for each in found.segments} == {each.file for each in before.segments}
        assert (found.exported, found.generation) == (before.exported, before.generation)
        bench.reopen()
        assert bench.rows(COUNT) == ALL

    def test_of_segments_given_up_meanwhile_changes_nothing(self, tmp_path):
        ledger = Ledger(tmp_path, manifests.Manifest(segments=(segment(1),)))
        counts = Counter()
        joiner = Joiner(TelemetryOptions(directory=str(tmp_path), journal=""), ledger, counts)
        whole = msgspec.structs.replace(
            segment(1), file="segments/spans/d/00000001_00000002.parquet"
        )

        joiner._swap([segment(1), segment(2)], whole, fresh=tmp_path / "none")

        assert counts == {}
        assert ledger.manifest.segments == (segment(1),)


class TestWideRows:
    def test_are_written_in_windows_that_fit_into_memory(self, tmp_path):
        bench = Bench(tmp_path)
        try:
            for number in range(300):
                wide = [
                    Span(time=each, span_id=f"{number}-{each}", events=chr(97 + each % 26) * 20_000)
                    for each in range(50)
                ]
                bench.store(*wide)
            bench.export()

            assert bench.engine.counts().get("export_failures", 0) == 0
            assert [each.part for each in listed(bench)] == list(range(1, len(listed(bench)) + 1))
            assert bench.rows("select count(distinct span_id), min(length(events)) from spans") == [
                [15_000, 20_000]
            ]
        finally:
            bench.close()
            bench.journal.close()
