"""Rollups of a living store say what a look at every raw row says, whatever happened to them."""

import time
from math import inf

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qmon_agent.domain.retention import Bound, Policy
from qmon_agent.domain.rollups import of_point, of_span, points_together, spans_together, start_of
from qmon_agent.domain.tiers import WIDTHS
from qmon_agent.store.telemetry import manifest as manifests
from qmon_agent.store.telemetry.options import Rolling
from qmon_sdk.protocol.signals import Point, Span
from tests.agent.test_telemetry_engine import DAY, NS, Bench

MINUTE, START = 60 * NS, 20_000 * DAY
KINDS = ("gauge", "counter", "distribution")
ROUTES = ({}, {"http.route": "/a"}, {"http.route": "/b"})
POINTS = "select epoch_ns(time), metric, kind, attributes, points, sum, count, minimum, maximum, last, epoch_ns(last_time), buckets from {}"  # noqa: E501
SPANS = "select epoch_ns(time), name, route, status, requests, errors, duration_ns, minimum_ns, maximum_ns, buckets from {}"  # noqa: E501
FINAL = "select sum(points), sum(sum) from points_1m"


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()
    made.journal.close()


def point(n, kind="gauge", **more):
    """The n-th of many, a few seconds after the one before it."""
    told = {"time": START + n * 7 * NS, "metric": f"m{n % 3}", "kind": kind, "value": float(n - 9)}
    told["attributes"] = {"k": str(n % 2)}
    if kind == "distribution":
        told |= {"count": 3, "minimum": -1.0 * n, "maximum": 2.0 * n}
        told["buckets"] = {n % 5: 2, 7: 1} if n % 4 else {}
    return Point(**(told | more))


def span(n, **more):
    told = {"time": START + n * 11 * NS, "name": f"n{n % 2}", "duration_ns": n * n * 1000}
    told |= {"status": ("ok", "error")[n % 5 == 0], "attributes": ROUTES[n % 3]}
    return Span(**(told | more))


def roll(bench):
    """Everything exported is rolled up when this returns."""
    bench.export()
    rounds = time.time_ns()
    for number in range(2_000):
        if not any(each.unrolled for each in listed(bench)):
            bench.engine._roller.wait()  # it counts what it has listed
            return
        bench.engine.tend(now=rounds + number * 60 * NS)
        time.sleep(0.02)
    pytest.fail("it is not rolled up")


def listed(bench):
    return manifests.load(bench.directory / "telemetry").segments


def oracle(rows, width, key, one, together):
    heaps = {}
    for row in rows:
        heaps.setdefault((start_of(row.time, width), *key(row)), []).append(one(row))
    return {series: together(parts) for series, parts in heaps.items()}


def expected_points(rows, width):
    def key(row):
        return row.metric, row.kind, *row.attributes.items()

    found = oracle(rows, width, key, of_point, points_together)
    return {series: tuple(msgspec.structs.astuple(part)) for series, part in found.items()}


def expected_spans(rows, width):
    def key(row):
        return row.name, row.attributes.get("http.route", ""), row.status

    found = oracle(rows, width, key, of_span, spans_together)
    return {series: tuple(msgspec.structs.astuple(part)) for series, part in found.items()}


def buckets_of(cell):
    return {int(index): count for index, count in cell.items()}


def told_points(bench, table):
    rows = bench.rows(POINTS.format(table), limit=100_000)
    return {
        (time, metric, kind, *labels.items()): (*values, buckets_of(buckets))
        for time, metric, kind, labels, *values, buckets in rows
    }


def told_spans(bench, table):
    rows = bench.rows(SPANS.format(table), limit=100_000)
    return {tuple(row[:4]): (*row[4:-1], buckets_of(row[-1])) for row in rows}


def check(bench, points, spans):
    for tier, width in WIDTHS.items():
        assert told_points(bench, f"points_{tier}") == expected_points(points, width)
        assert told_spans(bench, f"spans_{tier}") == expected_spans(spans, width)


def many(first=0, last=60):
    return [point(n, KINDS[n % 3]) for n in range(first, last)], [
        span(n) for n in range(first, last)
    ]


class TestRollups:
    def test_are_there_before_anything_is_exported(self, bench):
        points, spans = many()
        bench.store(*points, *spans)
        check(bench, points, spans)

    def test_say_the_same_when_they_are_written(self, bench):
        points, spans = many()
        bench.store(*points, *spans)
        roll(bench)
        assert bench.engine.counts()["rolled_segments"] == 2
        check(bench, points, spans)
        bench.reopen()
        check(bench, points, spans)

    def test_are_corrected_by_what_comes_late(self, bench):
        points, spans = many()
        bench.store(*points[::2], *spans[::2])
        roll(bench)
        bench.store(*points[1::4], *spans[1::4])
        roll(bench)
        bench.store(*points[3::4], *spans[3::4])
        check(bench, points, spans)
        parts = bench.rows("select count(*) from points_1m_parts")[0][0]
        assert parts > len(expected_points(points, MINUTE))

    def test_leave_out_what_is_no_number(self, bench):
        bench.store(point(1, value=inf), point(2, value=5.0))
        roll(bench)
        assert bench.rows(FINAL) == [[1, 5.0]]

    def test_come_to_segments_in_pieces_where_there_are_many_rows(self, bench):
        bench.rolling = Rolling(rows_at_once=7)
        bench.reopen()
        points, spans = many()
        bench.store(*points, *spans)
        roll(bench)
        check(bench, points, spans)

    def test_outlive_the_rows_they_are_of(self, bench):
        points, spans = many()
        bench.store(*points, *spans)
        roll(bench)
        old = Bound(age_ns=DAY)
        bench.policy = Policy(kinds={"point": old, "span": old, "spans_1m": old})
        bench.reopen()
        bench.engine.tend(now=time.time_ns() + 30 * DAY)
        counts = "select (select count(*) from points), (select count(*) from spans_1m)"
        assert bench.rows(counts) == [[0, 0]]
        assert told_points(bench, "points_1m") == expected_points(points, MINUTE)
        assert told_spans(bench, "spans_1h") == expected_spans(spans, WIDTHS["1h"])

    def test_do_not_count_as_rows(self, bench):
        bench.store(*many()[0])
        roll(bench)
        assert bench.engine.kept().rows["points"] == 60
        assert "points_1m" not in bench.engine.kept().rows


class TestWhatHappensToThem:
    def test_what_was_stored_before_there_were_rollups_is_rolled_up(self, bench):
        points, spans = many()
        bench.store(*points, *spans)
        bench.export()
        bench.close()
        older(bench.directory / "telemetry")
        bench.open()
        check(bench, points, spans)
        roll(bench)
        assert listed(bench)
        assert not any(each.unrolled for each in listed(bench))
        check(bench, points, spans)

    def test_a_list_that_was_lost_knows_them_again(self, bench):
        points, spans = many()
        bench.store(*points[:30], *spans[:30])
        roll(bench)
        bench.store(*points[30:], *spans[30:])
        bench.export()
        bench.close()
        (bench.directory / "telemetry" / "manifest.json").write_bytes(b"")
        bench.open()
        check(bench, points, spans)
        roll(bench)
        check(bench, points, spans)

    def test_one_that_was_not_finished_is_made_again(self, bench):
        points, spans = many()
        bench.store(*points, *spans)
        roll(bench)
        bench.close()
        directory = bench.directory / "telemetry"
        (gone,) = (directory / "segments" / "points_1d").rglob("*.parquet")
        gone.unlink()
        (directory / "manifest.json").write_bytes(b"")
        bench.open()
        assert [each.table for each in listed(bench) if each.unrolled] == ["points"]
        roll(bench)
        check(bench, points, spans)


def older(directory):
    """The list as it was written before there were rollups."""
    for path in (directory / "segments").rglob("*.parquet"):
        if "_1" in path.parent.parent.name:
            path.unlink()
    manifest = manifests.load(directory)
    segments = [
        {name: value for name, value in msgspec.to_builtins(each).items() if name != "unrolled"}
        for each in manifest.segments
        if "_1" not in each.table
    ]
    told = {**msgspec.to_builtins(manifest), "version": 1, "segments": segments}
    body = msgspec.json.encode(told)
    (directory / "manifest.json").write_bytes(manifests._checksum(body) + b"\n" + body)


VALUES = st.integers(-1000, 1000).map(float)
WHEN = st.integers(0, 3 * 86_400).map(lambda second: START + second * NS)
BATCHES = st.lists(
    st.lists(
        st.builds(
            Point,
            time=WHEN,
            metric=st.sampled_from("ab"),
            kind=st.sampled_from(KINDS),
            value=VALUES,
            count=st.integers(1, 5),
            minimum=VALUES,
            maximum=VALUES,
            buckets=st.dictionaries(st.integers(-9, 9), st.integers(1, 9), max_size=3),
        )
        | st.builds(
            Span,
            time=WHEN,
            name=st.sampled_from("ab"),
            status=st.sampled_from(("ok", "error")),
            duration_ns=st.integers(0, 10**15),
            attributes=st.sampled_from(ROUTES),
        ),
        min_size=1,
        max_size=12,
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=BATCHES, moves=st.lists(st.sampled_from((None, Bench.export, roll)), min_size=4))
def test_any_rows_in_any_order_are_rolled_up_as_one_look_finds_them(
    tmp_path_factory, batches, moves
):
    bench = Bench(tmp_path_factory.mktemp("rollups"))
    for signals, move in zip(batches, moves, strict=False):
        bench.store(*signals)
        if move:
            move(bench)
    rows = [row for signals in batches for row in signals]
    points = [row for row in rows if isinstance(row, Point)]
    check(bench, points, [row for row in rows if isinstance(row, Span)])
    bench.close()
    bench.journal.close()


class TestDamagedRollup:
    """Made anew of what is finer, it says what it said."""

    @pytest.fixture
    def rows(self, bench):
        bench.engine._scrubber._next_round = inf  # not before the test says so
        points, spans = many()
        for part in (slice(0, 20), slice(20, 60)):
            bench.store(*points[part], *spans[part])
            roll(bench)
        return points, spans

    def damage(self, bench, *tables):
        """All segments of some tables, found at once."""
        directory = bench.directory / "telemetry"
        for each in listed(bench):
            if each.table in tables:
                content = (directory / each.file).read_bytes()
                (directory / each.file).write_bytes(content[:90] + b"?" + content[91:])
        scrubber = bench.engine._scrubber
        scrubber._hopeless.clear()
        scrubber._begin(bench.engine._ledger.manifest.segments)
        scrubber.wait()

    def left(self, bench):
        return {each.table for each in bench.engine._ledger.manifest.damaged}

    @pytest.mark.parametrize("tier", WIDTHS)
    def test_of_any_tier_is_made_anew(self, bench, rows, tier):
        self.damage(bench, f"points_{tier}", f"spans_{tier}")

        assert (self.left(bench), bench.engine.counts()["rebuilt_segments"]) == (set(), 4)
        check(bench, *rows)
        bench.reopen()
        check(bench, *rows)

    def test_of_all_tiers_is_made_anew_from_the_finest_on(self, bench, rows):
        self.damage(bench, *(f"points_{tier}" for tier in WIDTHS))

        assert self.left(bench) == set()
        check(bench, *rows)

    def test_is_made_of_the_finer_tier_where_raw_rows_are_gone(self, bench, rows):
        raw = frozenset(each.file for each in listed(bench) if each.table == "points")
        bench.engine._ledger.change(lambda manifest: manifest.without(raw))
        self.damage(bench, "points_1h", "points_1d")

        assert self.left(bench) == set()
        check(bench, *rows)

    def test_is_not_made_of_a_part_of_what_was_in_it(self, bench, rows):
        raw = next(each for each in listed(bench) if each.table == "points")
        bench.engine._ledger.change(lambda manifest: manifest.without(frozenset({raw.file})))
        self.damage(bench, "points_1m")

        assert self.left(bench) == {"points_1m"}
        assert len(bench.ask("select * from points_1m").missing) == 1
        assert bench.engine.kept().damaged_rows["points_1m"] > 0

    def test_is_not_made_of_rows_that_were_taken_out_meanwhile(self, bench, rows):
        self.damage(bench, "points_1h")
        manifest = bench.engine._ledger.manifest
        whole = next(each for each in manifest.segments if each.table == "points_1h")
        finer = next(each for each in manifest.segments if each.table == "points_1m")
        aside = manifest.setting_aside(whole)

        assert aside.remade(whole, whole, of=[finer]) is not aside
        gone = aside.without(frozenset({finer.file}))
        assert gone.remade(whole, whole, of=[finer]) is gone
