"""Laws of rollups and of the choice among them, against a naive look at every row."""

from math import inf, isclose

from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.rollups import (
    PointPart,
    SpanPart,
    of_point,
    of_span,
    points_together,
    quantile_of,
    spans_together,
    start_of,
)
from qmon_agent.domain.tiers import NAMES, ROLLED, WIDTHS, Asked, choose
from qmon_sdk.protocol.signals import Point, Span

VALUES = st.integers(-(10**9), 10**9).map(float)  # whole: their sums have no rounding
TIMES = st.integers(0, 10**6)
GAUGES = st.builds(Point, time=TIMES, value=VALUES)
COUNTERS = st.builds(Point, time=TIMES, kind=st.just("counter"), value=VALUES)
SPREAD = st.builds(
    Point,
    time=TIMES,
    kind=st.just("distribution"),
    value=VALUES,
    count=st.integers(1, 9),
    minimum=VALUES,
    maximum=VALUES,
    buckets=st.dictionaries(st.integers(-9, 9), st.integers(1, 9), max_size=4),
)
POINTS = st.lists(GAUGES | COUNTERS | SPREAD, max_size=20)
SPANS = st.lists(
    st.builds(
        Span,
        time=TIMES,
        duration_ns=st.integers(0, 10**12),
        status=st.sampled_from(("ok", "error", "unset")),
    ),
    max_size=20,
)
SHARES = st.lists(st.integers(0, 4), min_size=20, max_size=20)
RANGES = st.builds(
    Asked,
    table=st.sampled_from(("points", "spans", "logs")),
    start=st.integers(0, 100).map(lambda n: n * WIDTHS["1m"]) | TIMES,
    end=st.integers(100, 10_000).map(lambda n: n * WIDTHS["1m"]),
    step=st.sampled_from((0, 1, *WIDTHS.values(), 5 * WIDTHS["1m"])),
    statistic=st.sampled_from(("sum", "last", "quantile", "exact_quantile")),
    columns=st.sampled_from(((), ("service",), ("process",), ("name", "route"))),
)


def shared_out(rows, shares):
    """The rows in five heaps, some of which may be empty."""
    return [[row for row, at in zip(rows, shares, strict=False) if at == heap] for heap in range(5)]


class TestRollups:
    @given(POINTS, SHARES, st.randoms())
    def test_the_parts_of_points_say_what_the_whole_says(self, rows, shares, chance):
        whole = points_together(map(of_point, rows))
        parts = [points_together(map(of_point, heap)) for heap in shared_out(rows, shares)]
        chance.shuffle(parts)
        assert points_together(parts) == whole
        assert points_together([points_together(parts[:2]), *parts[2:]]) == whole

    @given(SPANS, SHARES, st.randoms())
    def test_the_parts_of_spans_say_what_the_whole_says(self, rows, shares, chance):
        whole = spans_together(map(of_span, rows))
        parts = [spans_together(map(of_span, heap)) for heap in shared_out(rows, shares)]
        chance.shuffle(parts)
        assert spans_together(parts) == whole
        assert spans_together([spans_together(parts[:2]), *parts[2:]]) == whole

    @given(POINTS)
    def test_a_rollup_is_what_a_look_at_every_point_finds(self, rows):
        whole = points_together(map(of_point, rows))
        spread = [row for row in rows if row.kind == "distribution"]
        plain = [row for row in rows if row.kind != "distribution"]
        assert whole.points == len(rows)
        assert whole.sum == sum(row.value for row in rows)
        lows = [row.value for row in plain] + [row.minimum for row in spread]
        assert whole.minimum == min(lows, default=inf)
        if rows:
            assert (whole.last_time, whole.last) == max((row.time, row.value) for row in rows)

    @given(st.lists(st.integers(1, 10**12), min_size=1), st.floats(0, 1))
    def test_a_quantile_is_within_two_percent(self, durations, q):
        whole = spans_together(of_span(Span(duration_ns=each)) for each in durations)
        exact = sorted(durations)[int(q * (len(durations) - 1))]
        assert isclose(quantile_of(whole, q), exact, rel_tol=0.0201)

    def test_what_is_no_number_says_nothing(self):
        assert points_together([of_point(Point(value=inf))]) == PointPart()
        assert spans_together([]) == SpanPart()

    @given(TIMES)
    def test_stretches_fit_into_each_other(self, time):
        finer, *coarser = WIDTHS.values()
        for width in coarser:
            assert start_of(start_of(time, finer), width) == start_of(time, width)


class TestTheChoice:
    @given(RANGES)
    def test_a_stretch_of_the_table_never_crosses_what_was_asked(self, asked):
        chosen = choose(asked)
        assert chosen.is_exact
        if chosen.width_ns:
            assert chosen.table in NAMES
            edges = range(asked.start, asked.end, asked.step or asked.end)
            assert all(start_of(edge, chosen.width_ns) == edge for edge in (*edges[:50], asked.end))
            assert set(asked.columns) <= set(ROLLED[asked.table])

    @given(RANGES)
    def test_none_that_is_coarser_would_have_done(self, asked):
        chosen = choose(asked)
        for tier, width in WIDTHS.items():
            if width > chosen.width_ns and chosen.width_ns:
                assert any(each % width for each in (asked.start, asked.end, asked.step)), tier

    @given(RANGES, st.dictionaries(st.sampled_from((*NAMES, "points", "spans")), TIMES))
    def test_what_is_not_kept_whole_is_never_called_exact(self, asked, since):
        chosen = choose(asked, since=since)
        if chosen.is_exact:
            assert since.get(chosen.table, 0) <= asked.start

    def test_says_why(self):
        hour = Asked(table="spans", start=0, end=WIDTHS["1h"] * 6, step=WIDTHS["1h"])
        assert choose(hour).table == "spans_1h"
        assert "3600 s" in choose(hour).reason
        exact = Asked(table="spans", start=0, end=WIDTHS["1h"], statistic="exact_quantile")
        assert choose(exact).reason == "rollups of spans have no exact quantile"
        late = choose(hour, since={"spans_1h": 1, "spans_1m": 0, "spans": 2})
        assert late.table == "spans_1m"
