"""Rollups as ClickHouse makes them say what plain Python says of every row, late or sent again."""

import math
import random

import pytest

from qmon_agent.domain.retention import Bound, Policy
from qmon_agent.domain.rollups import of_point, of_span, points_together, spans_together, start_of
from qmon_agent.domain.tiers import WIDTHS
from qmon_agent.store.telemetry.asked import ask_for
from qmon_agent.store.telemetry.engines.clickhouse import folding
from qmon_agent.store.telemetry.rollups import ROLLUPS
from qmon_sdk.protocol.buckets import ZERO
from qmon_sdk.protocol.signals import Point, Span
from tests.clickhouse.test_clickhouse_store import Unreliable

NS = 10**9
DAY = 86_400 * NS
START = 20_000 * DAY - 40 * 60 * NS
POINTS = "SELECT toUnixTimestamp64Nano(time), metric, kind, attributes['k'], points, sum, count, minimum, maximum, last, toUnixTimestamp64Nano(last_time), buckets FROM {}"  # noqa: E501
SPANS = "SELECT toUnixTimestamp64Nano(time), name, route, status, requests, errors, duration_ns, minimum_ns, maximum_ns, buckets FROM {}"  # noqa: E501


def drawn(draw, count):
    """Points of every kind and spans, over some hours and around a midnight."""
    times = draw.sample(range(START, START + 3 * 3_600 * NS, 1_000_003), 2 * count)
    points = [drawn_point(draw, at) for at in times[:count]]
    return points, [drawn_span(draw, at) for at in times[count:]]


def drawn_point(draw, at):
    kind = draw.choice(("gauge", "counter", "distribution"))
    told = {"value": draw.choice((0.0, -0.25, 1e-320, 3.5, 1e300, draw.uniform(-9, 9)))}
    if kind == "distribution":
        told |= {"count": draw.randrange(1, 9), "minimum": -1.5, "maximum": draw.uniform(0, 9)}
        told["buckets"] = draw.choice(({}, {3: 2, ZERO: 1}, {-7: 1 << 40}))
    attributes = draw.choice(({}, {"k": "a"}, {"k": "it's"}))
    return Point(time=at, metric=draw.choice("mn"), kind=kind, attributes=attributes, **told)


def drawn_span(draw, at):
    route = draw.choice(({}, {"http.route": "/a"}, {"http.route": "/b", "k": "v"}))
    duration = draw.choice((0, 1, draw.randrange(10**10)))
    status = draw.choice(("ok", "error"))
    return Span(
        time=at, name=draw.choice("ab"), duration_ns=duration, status=status, attributes=route
    )


def expected(rows, width, key, one, together):
    heaps = {}
    for row in rows:
        heaps.setdefault((start_of(row.time, width), *key(row)), []).append(one(row))
    made = {series: together(parts) for series, parts in heaps.items()}
    return {
        series: [*map(near, [getattr(part, name) for name in part.__struct_fields__])]
        for series, part in made.items()
    }


def near(value):
    """Sums of decimals may have been added up in another order; everything else is exact."""
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


def told(bench, asked, keys):
    rows = bench.rows(asked, limit=100_000)
    return {
        tuple(row[:keys]): [*row[keys:-1], {int(at): n for at, n in row[-1].items()}]
        for row in rows
    }


def parts(bench, tier):
    """The name of the table that has the rows of a rollup."""
    return bench.engine._server.layout.name(folding.parts_of(ROLLUPS[f"points_{tier}"]))


def check(bench, points, spans):
    kept = [each for each in points if math.isfinite(each.value)]
    for tier, width in WIDTHS.items():
        assert told(bench, POINTS.format(f"points_{tier}"), 4) == expected(
            kept,
            width,
            lambda row: (row.metric, row.kind, row.attributes.get("k", "")),
            of_point,
            points_together,
        )
        assert told(bench, SPANS.format(f"spans_{tier}"), 4) == expected(
            spans,
            width,
            lambda row: (row.name, row.attributes.get("http.route", ""), row.status),
            of_span,
            spans_together,
        )


class TestRollups:
    def test_say_what_python_says_whatever_comes_late(self, bench):
        points, spans = drawn(random.Random(3), 120)
        points.append(Point(time=START, metric="m", value=math.nan))
        for part in range(3):
            bench.store(*points[part::3], *spans[part::3])

        check(bench, points, spans)

    def test_say_it_of_parts_before_and_after_they_are_merged(self, bench):
        points, spans = drawn(random.Random(4), 60)
        for part in range(4):
            bench.store(*points[part::4], *spans[part::4])
        asked = "SELECT sum(points), round(sum(sum), 6), max(maximum) FROM points_1h_parts"
        before = bench.rows(asked)
        with bench.engine._server.asked() as client:
            client.command(f"OPTIMIZE TABLE {parts(bench, '1h')} FINAL")

        assert before == bench.rows(asked)
        check(bench, points, spans)

    @pytest.mark.parametrize("good", [1, 2, 3])
    def test_have_every_block_once_wherever_the_connection_broke(self, bench, good):
        points, spans = drawn(random.Random(good), 40)
        bench.engine._server = Unreliable(bench.engine._server, good)
        bench.store(*points, *spans)
        bench.reopen()
        bench.follow()

        check(bench, points, spans)

    def test_have_a_block_that_reached_the_rows_and_not_them(self, bench):
        points, _ = drawn(random.Random(5), 40)
        server = bench.engine._server
        with server.asked() as client:
            client.command(f"RENAME TABLE {parts(bench, '1m')} TO elsewhere")
        bench.store(*points)
        assert bench.engine.trouble
        with server.asked() as client:
            client.command(f"RENAME TABLE elsewhere TO {parts(bench, '1m')}")
        bench.reopen()
        bench.follow()

        check(bench, points, [])
        assert [[40]] == bench.rows("SELECT count() FROM points")

    def test_are_kept_as_long_as_their_own_kind(self, bench):
        bench.options = {"policy": Policy(kinds={"points_1h": Bound(age_ns=DAY)})}
        bench.reopen()
        asked = "SELECT name FROM system.tables WHERE engine_full LIKE '% TTL %'"
        with bench.engine._server.asked() as client:
            found = client.query(f"{asked} AND database = currentDatabase()").result_rows

        assert [(parts(bench, "1h"),)] == list(found)

    def test_answer_questions(self, bench):
        points, _ = drawn(random.Random(6), 60)
        bench.store(*points)
        said = {"metric": "m", "since": "3d", "step": "1h"}
        asked = ask_for("metric_series", said, now=START + DAY, dialect="clickhouse")
        rows = bench.rows(asked.statement)

        assert "1h" == asked.tier
        assert sum(each.count for each in points if each.metric == "m") == sum(
            row[6] for row in rows
        )
