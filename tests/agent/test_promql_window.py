"""The window: which samples it keeps, for how long, and how many."""

import math

import pytest

from qmon_agent.alerting.promql import Bounds, Expressions, Window, labels_of
from qmon_agent.alerting.promql.series import STALE, Series, is_stale

MINUTE = 60_000


def watching(*texts, **bounds):
    window = Window(Bounds(**bounds))
    expressions = Expressions()
    window.watch([wanted for text in texts for wanted in expressions.parse(text).walk()])
    return window


def named(name, **labels):
    return labels_of({"__name__": name, **labels})


class TestWindow:
    def test_keeps_what_a_selector_means_and_nothing_else(self):
        window = watching('c{a=~"x|y"}', '{job="db"}')

        taken = [
            window.add(named("c", a="x"), 0, 1.0),
            window.add(named("c", a="z"), 0, 1.0),
            window.add(named("other", job="db"), 0, 1.0),
        ]

        assert ([True, False, True], 2) == (taken, len(window))

    def test_keeps_samples_as_long_as_the_longest_range_needs_them(self):
        window = watching("c", "max_over_time(rate(c[10m])[20m:1m] offset 5m)", "d")
        for minute in range(100):
            window.add(named("c"), minute * MINUTE, 1.0)
            window.add(named("d"), minute * MINUTE, 1.0)

        window.tidy(99 * MINUTE)

        kept = {series.labels.get("__name__"): len(series.times) for series in window}
        assert {"c": 36, "d": 6} == kept

    def test_forgets_series_that_tell_nothing_any_more(self):
        window = watching("c")
        window.add(named("c", a="gone"), 0, 1.0)
        for second in range(400):
            window.add(named("c", a="here"), second * 1000, 1.0)
            window.tidy(second * 1000)

        [selector] = [wanted for wanted, _ in Expressions().parse("c").walk()]
        assert ["here"] == [series.labels.get("a") for series in window.selected(selector)]

    def test_leaves_out_samples_that_are_no_newer(self):
        window = watching("c")

        taken = [window.add(named("c"), time, 1.0) for time in (5, 5, 4, 6)]

        assert ([True, False, False, True], 2) == (taken, window.late)

    @pytest.mark.parametrize("bounds", [{"series": 2}, {"size": 2_000}])
    def test_counts_what_it_has_no_room_for(self, bounds):
        window = watching("c", **bounds)

        for number in range(10):
            window.add(named("c", a=str(number)), 0, 1.0)

        assert (2, 8) == (len(window), window.left_out)

    def test_has_no_more_samples_than_there_is_room_for(self):
        window = watching("c", size=2_000)

        for time in range(1_000):
            window.add(named("c"), time, 1.0)

        assert window.size <= 2_016
        assert window.left_out

    def test_watches_something_else_from_now_on(self):
        window = watching("c", "d")
        window.add(named("c"), 0, 1.0)
        window.add(named("d"), 0, 1.0)

        window.watch(Expressions().parse("d").walk())

        assert [named("d")] == [series.labels for series in window]


class TestDumps:
    def test_bring_everything_back(self):
        window, after = watching("c"), watching("c")
        for time, value in enumerate([1.0, math.inf, STALE, math.nan, -0.0]):
            window.add(named("c", a="x"), time, value)

        after.load(window.dump())

        assert window.dump() == after.dump()

    def test_leave_out_what_nobody_watches_now(self):
        window, after = watching("c", "d"), watching("d")
        window.add(named("c"), 0, 1.0)

        after.load(window.dump())

        assert 0 == len(after)


class TestSeries:
    def test_that_ended_has_no_newest_sample(self):
        series = Series(named("c"))
        for time, value in enumerate([1.0, STALE]):
            series.add(time, value)

        assert (None, 1.0) == (series.at(5, 10), series.at(0, 10))

    def test_that_ended_goes_on(self):
        series = Series(named("c"))
        for time, value in enumerate([5.0, STALE, 1.0]):
            series.add(time, value)

        times, values, may_fall = series.between(0, 2)

        assert ([0, 2], [5.0, 1.0], True) == (list(times), list(values), may_fall)

    def test_tells_the_marker_from_any_other_nan(self):
        assert [True, False, False] == [is_stale(value) for value in (STALE, math.nan, 1.0)]


class TestLabels:
    def test_that_are_equal_are_one_object(self):
        assert labels_of({"a": "1", "b": ""}) is labels_of([("a", "1")])
