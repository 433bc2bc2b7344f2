"""The laws of what rules reckon with: levels, windows, lines, sketches, expressions."""

from collections import Counter
from itertools import pairwise, product
from math import inf, isclose
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmon_agent.domain.baselines import HOUR, HOURS, WEEKS, Guard, Usual, is_odd, learned, usual
from qmon_agent.domain.burning import burn_rate, exhausted_after
from qmon_agent.domain.changepoints import Chart, charted, limit_for
from qmon_agent.domain.changes import Samples, change_of, grown_of, percent_of
from qmon_agent.domain.composing import judged, parse
from qmon_agent.domain.distinct import K, estimate, mark_of, smallest
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.escalation import limit_of
from qmon_agent.domain.fitting import fitted, time_until
from qmon_agent.domain.sketches import MOST, added, joined, moved, pairs_of
from qmon_agent.domain.thresholds import Level, parse_threshold, worst_of
from qmon_agent.domain.windows import add, put, total, within
from qmon_sdk.protocol.buckets import bucket_of, fold, quantile

COUNTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=40)


class TestLevels:
    @given(st.lists(st.floats(0, 100)))
    def test_are_left_only_over_the_line_that_clears(self, values):
        level = Level(line=parse_threshold("> 80"), clear=parse_threshold("< 60"))
        held = 0
        for value in values:
            before, held = held, worst_of((level,), value, held=held)
            assert held == (value > 80 or (bool(before) and value >= 60))

    def test_are_as_bad_as_the_worst(self):
        levels = [Level(line=parse_threshold(line)) for line in ("> 80", "> 95")]

        assert [0, 1, 2] == [worst_of(levels, value, held=0) for value in (80, 90, 96)]


class TestWindows:
    @given(COUNTS, st.integers(1, 10))
    def test_hold_what_came_in_their_bins_and_no_more(self, counts, bins):
        counts = sorted(counts)
        rows, at = [], 0
        for at, amount in counts:
            rows = add(rows, at, [amount], keep=bins)

        assert total(rows, at, bins) == sum(n for when, n in counts if when > at - bins)
        assert len(within(rows, at, bins)) <= bins

    def test_take_what_a_clock_set_back_sends_for_now(self):
        assert [[9, 3]] == add([[9, 1]], 4, [2])
        assert [[9, 2]] == put([[9, 1]], 4, [2])


class TestLines:
    @given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
    def test_are_found_again(self, slope, start):
        times = [float(n) for n in range(20)]

        trend = fitted(times, [start + slope * time for time in times])

        assert isclose(trend.slope, slope, rel_tol=1e-6, abs_tol=1e-6)
        assert isclose(trend.value, start + slope * 19, rel_tol=1e-6, abs_tol=1e-6)

    def test_reach_what_is_before_them_and_nothing_behind(self):
        trend = fitted([0, 1, 2], [0.0, 1.0, 2.0])

        assert [3.0, inf, 0.0] == [time_until(trend, bound) for bound in (5, 1, 2)]


class TestChanges:
    @given(st.lists(st.floats(0, 1e6), min_size=2, max_size=20))
    def test_of_totals_are_what_they_grew_through_every_reset(self, growths):
        rows, totals = [], []
        for n, growth in enumerate(growths):
            totals.append(growth if n % 5 == 4 or not n else totals[-1] + growth)
            rows = grown_of(rows, (n, n, totals[-1]), told="totals", keep=99)
        span = len(growths) - 1
        grown = sum(new - old if new >= old else new for old, new in pairwise(totals))

        samples = Samples(rows=rows, told="totals", span=span)
        assert isclose(change_of(samples, span), grown, abs_tol=1e-3)

    def test_in_percent_are_of_what_was_before(self):
        gauge = grown_of(
            grown_of([], (0, 0, 10.0), told="value", keep=9), (1, 4, 15.0), told="value", keep=9
        )

        assert 50 == percent_of(Samples(rows=gauge, told="value", span=4))


class TestBudgets:
    def test_last_their_period_at_a_rate_of_one(self):
        rate = burn_rate(1, 1000, 0.999)

        assert isclose(1, rate)
        assert isclose(30, exhausted_after(rate, 30))
        assert inf == exhausted_after(burn_rate(0, 0, 0.999))


class TestSketches:
    @given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=50), st.floats(0, 1))
    def test_of_parts_are_the_sketch_of_the_whole(self, values, q):
        rows = []
        for n, value in enumerate(values):
            rows = added(rows, n // 7, [bucket_of(value), 1], keep=99)
        whole = fold([{bucket_of(value): 1} for value in values])

        assert quantile(whole, q) == quantile(joined(rows), q)

    @given(
        st.lists(st.lists(st.integers(0, 2 * MOST), max_size=MOST), max_size=6),
        st.integers(0, 6),
        st.integers(0, 6),
    )
    def test_that_move_on_are_what_the_rows_hold_that_are_left(self, bins, seen, gone):
        rows = [[n, *pairs_of(Counter(indices))] for n, indices in enumerate(bins)]
        before, gone = pairs_of(joined(rows[:seen])), min(seen, gone)

        after = moved(before, came=rows[seen:], went=rows[:gone])

        assert after is None if len(before) >= 2 * MOST else after == pairs_of(joined(rows[gone:]))

    def test_are_bounded_and_lose_only_the_low_end(self):
        sketch = dict.fromkeys(range(MOST + 50), 1)

        kept = pairs_of(sketch)

        assert (2 * MOST, MOST + 50) == (len(kept), sum(kept[1::2]))


class TestDistinct:
    def test_are_counted_exactly_while_few_and_nearly_when_many(self):
        few, many = ([mark_of(f"user {n}") for n in range(size)] for size in (K - 1, 5_000))

        assert K - 1 == estimate(smallest(few + few))
        assert isclose(5_000, estimate(smallest(many)), rel_tol=0.25)


def normal(n, *, mean=100.0, seed=1):
    draw = Random(seed)
    return [draw.gauss(mean, 5.0) for _ in range(n)]


class TestChangepoints:
    def changes(self, values, *, every=100_000, learn=60):
        chart, limit, found = Chart(), limit_for(every), []
        for n, value in enumerate(values):
            chart, shift = charted(chart, value, learn=learn, limit=limit)
            found += [(n, shift)] if shift else []
        return found

    def test_are_found_soon_and_told_from_what_to_what(self):
        [(at, shift)] = self.changes(normal(300) + normal(60, mean=115.0, seed=2))

        assert 300 < at < 320
        assert isclose(100, shift.before, rel_tol=0.02)
        assert isclose(115, shift.after, rel_tol=0.05)

    @pytest.mark.parametrize("seed", range(5))
    def test_are_not_seen_by_chance_more_often_than_promised(self, seed):
        assert len(self.changes(normal(10_000, seed=seed))) <= 2

    def test_are_not_one_value_alone(self):
        assert [] == self.changes([*normal(300), 1e9, *normal(50, seed=3)])

    @given(st.floats(10, 1e9), st.floats(10, 1e9))
    def test_are_rarer_the_higher_the_limit(self, one, other):
        assert (limit_for(one) <= limit_for(other)) == (one <= other) or isclose(
            limit_for(one), limit_for(other), abs_tol=1e-6
        )


class TestBaselines:
    def known(self, weeks, *, quiet=10.0, busy=100.0):
        """A series that is busy in the first hour of every week, told every twenty minutes."""
        memory, now = {}, 0
        for n in range(weeks * HOURS * 3):
            now = n * HOUR // 3
            value = busy if n // 3 % HOURS == 0 else quiet
            memory = learned(memory, value * (1 + n % 5 / 100), now, guard=Guard())
        return memory, now + HOUR

    def test_know_that_an_hour_of_the_week_is_busy(self):
        memory, now = self.known(2)

        odd = [is_odd(value, usual(memory, now), Guard()) for value in (101.0, 10.0, 300.0)]

        assert [False, True, True] == odd

    def test_without_two_weeks_go_by_the_mean_of_late(self):
        memory, now = self.known(1)

        odd = [is_odd(value, usual(memory, now), Guard()) for value in (10.2, 100.0)]

        assert [False, True] == odd

    def test_keep_as_many_weeks_as_they_may(self):
        memory, _ = self.known(5)

        assert {WEEKS} == {len(rows) for rows in memory["weeks"].values()}

    @given(st.floats(-1e6, 1e6), st.floats(0, 1e3), st.sampled_from(["above", "below"]))
    def test_guard_against_small_changes_and_the_wrong_side(self, value, deviation, direction):
        expected = Usual(middle=100.0, deviation=deviation, low=100.0, high=100.0)
        guard = Guard(min_change=5.0, min_percent=10.0, direction=direction)

        if is_odd(value, expected, guard):
            assert abs(value - 100) > 10
            assert (value > 100) == (direction == "above")


class TestEscalation:
    def test_of_a_young_error_is_ten_times_its_largest_hour(self):
        assert [inf, 30.0] == [limit_of([]), limit_of([1, 3, 0])]

    @settings(max_examples=25)
    @given(st.lists(st.integers(0, 1000), min_size=168, max_size=168))
    def test_is_never_within_what_the_week_had(self, hours):
        assert limit_of(hours) >= 2 * max(hours) or not any(hours)


TRUTHS = st.fixed_dictionaries(dict.fromkeys("abc", st.sampled_from([True, False, None])))


class TestExpressions:
    def test_bind_as_in_promql(self):
        tree = parse("a or b and 'the c' unless (d or e)")

        assert ("or", "a", ("unless", ("and", "b", "the c"), ("or", "d", "e"))) == tree

    @given(st.sampled_from(["a and b or c", "a unless (b and c)", "a or b unless c"]), TRUTHS)
    def test_are_known_only_where_the_unknown_cannot_matter(self, text, truths):
        unknown = [name for name, truth in truths.items() if truth is None]
        turned = {
            judged(parse(text), truths | dict(zip(unknown, outcome, strict=True)))
            for outcome in product([True, False], repeat=len(unknown))
        }

        known = judged(parse(text), truths)
        assert known is None or turned == {known}

    @pytest.mark.parametrize("text", ["", "a and", "(a", "a b", "and a", "a )", "'a", "(" * 99])
    def test_that_make_no_sense_are_refused(self, text):
        with pytest.raises(ConfigError, match="expression"):
            parse(text)
