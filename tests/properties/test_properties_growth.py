"""What foreign numbers grew by: one law, whoever tells them."""

from __future__ import annotations

import bisect
import json
from itertools import pairwise
from math import ceil, inf, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from qmon_agent.ingest.exposition_points import Exposition
from qmon_agent.ingest.growth import Growth
from qmon_agent.ingest.heaps import add_power, heap_below, heap_between, heap_of_parts
from qmon_agent.ingest.otlp.json_encoding import JsonEncoding
from qmon_agent.ingest.otlp.translation import Translator
from qmon_agent.ingest.remote_messages import V1, message_class
from qmon_agent.ingest.remote_points import RemotePoints
from qmon_agent.ingest.remote_series import read_message
from qmon_sdk.protocol.buckets import ACCURACY, quantile

BOUNDS = (0.1, 1.0, 10.0)
SECOND = 1_000_000_000
values = st.lists(st.floats(0.001, 1000.0), max_size=40)


def heap_of(measured, bounds=BOUNDS):
    counts = [0] * (len(bounds) + 1)
    for value in measured:
        counts[bisect.bisect_left(bounds, value)] += 1
    return heap_between((-inf, *bounds, inf), counts, total=sum(measured))


def powers(measured, scale):
    parts = {}
    for value in measured:
        index = ceil(log2(value) * 2**scale) - 1
        add_power(parts, index, scale, count=1)
    return heap_of_parts(parts, total=sum(measured), by_powers=True)


class TestHeaps:
    @given(values, values)
    def test_keep_count_and_sum_of_what_came(self, first, further):
        grown = heap_of(first + further).since(heap_of(first))

        assert (len(further), len(further)) == (grown.count, sum(grown.counts))
        assert pytest.approx(sum(further), abs=1e-6) == grown.total

    @given(values, values, st.sets(st.sampled_from([0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 50.0])))
    def test_keep_them_when_they_are_cut_at_other_bounds(self, first, further, bounds):
        grown = heap_of(first + further, tuple(sorted(bounds))).since(heap_of(first))

        assert len(further) == round(grown.count)
        assert len(further) == sum(grown.point().buckets.values())

    @given(values.filter(bool), values)
    def test_that_have_less_began_again(self, first, after):
        if len(after) < len(first):
            assert None is heap_of(after).since(heap_of(first))

    @given(values.filter(bool))
    def test_are_points_that_lose_none(self, measured):
        point = heap_of(measured).point()

        assert len(measured) == point.count == sum(point.buckets.values())
        assert pytest.approx(sum(measured)) == point.value

    @given(st.lists(st.floats(0.1001, 9.99), min_size=1, max_size=60), st.floats(0, 1))
    def test_have_quantiles_within_the_bucket_of_the_true_one(self, measured, q):
        true = sorted(measured)[int(q * (len(measured) - 1))]
        told = quantile(heap_of(measured).point().buckets, q)

        at = bisect.bisect_left(BOUNDS, true)
        lower, upper = BOUNDS[at - 1], BOUNDS[at]
        assert lower * (1 - ACCURACY) <= told <= upper * (1 + ACCURACY)

    @given(st.lists(st.floats(0.01, 100.0), min_size=1, max_size=10), st.integers(2, 5))
    def test_of_powers_have_quantiles_as_near_as_their_scale(self, measured, scale):
        told = quantile(powers(measured, scale).point().buckets, 0.5)
        true = sorted(measured)[int(0.5 * (len(measured) - 1))]

        base = 2.0 ** (2.0**-scale)
        assert true / base * (1 - ACCURACY) <= told <= true * base * (1 + ACCURACY)

    @given(st.lists(st.floats(0.5, 8.0), max_size=10), st.lists(st.floats(0.5, 8.0), max_size=10))
    def test_of_powers_may_become_coarser(self, first, further):
        grown = powers(first + further, 1).since(powers(first, 3))

        assert powers(further, 1).point().buckets == grown.point().buckets

    def test_of_nothing_between_bounds_lie_at_their_mean(self):
        point = heap_between((-inf, inf), [4], total=20.0).point()

        assert pytest.approx(5.0, rel=ACCURACY) == quantile(point.buckets, 0.5)


class TestGrowth:
    @given(st.lists(st.integers(0, 100), min_size=1, max_size=30))
    def test_of_parts_is_the_whole(self, steps):
        growth, value, told = Growth(began=1), 0, 0.0
        for time, step in enumerate(steps, start=2):
            value += step
            told += growth.of_number("a", float(value), changes=[], time=time, start=1) or 0

        assert sum(steps) == told

    @given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=20))
    def test_that_was_taken_back_is_told_again(self, steps):
        growth, value, told = Growth(began=1), 0, 0.0
        for time, (step, is_kept) in enumerate(steps, start=2):
            value += step
            changes = []
            grown = growth.of_number("a", float(value), changes=changes, time=time, start=1)
            told += grown if is_kept else 0
            if not is_kept:
                growth.take_back(changes)

        end = growth.of_number("a", float(value), changes=[], time=100, start=1)
        assert value == told + end

    @pytest.mark.parametrize(
        ("start", "is_new", "told"), [(0, 0, None), (0, 1, 5), (50, 0, None), (150, 0, 5)]
    )
    def test_of_the_first_reading_is_known_only_since_we_listen(self, start, is_new, told):
        growth = Growth(began=100)

        assert told == growth.of_number("a", 5.0, changes=[], time=200, start=start, is_new=is_new)

    def test_of_what_says_it_began_when_it_was_read_is_not_known(self):
        growth = Growth(began=100)
        tell = [(5.0, 200, 200), (7.0, 300, 200), (7.0, 400, 200)]

        assert [None, 2.0, 0.0] == [
            growth.of_number("a", value, changes=[], time=time, start=start)
            for value, time, start in tell
        ]

    def test_of_what_began_again_is_told_whole_though_it_is_more(self):
        growth = Growth(began=100)
        growth.of_number("a", 5.0, changes=[], time=200, start=150)

        assert 6.0 == growth.of_number("a", 6.0, changes=[], time=300, start=250)

    def test_of_a_start_that_wavers_is_no_beginning(self):
        growth = Growth(began=100)
        growth.of_number("a", 5.0, changes=[], time=200, start=150)

        assert 1.0 == growth.of_number("a", 6.0, changes=[], time=300, start=151)

    def test_of_what_was_forgotten_is_never_told_twice(self):
        hand = [0.0]
        growth = Growth(began=100, expire_s=10, clock=lambda: hand[0])
        growth.of_number("a", 5.0, changes=[], time=200, start=150)
        hand[0] = 11.0
        growth.forget()

        again = growth.of_number("a", 6.0, changes=[], time=300, start=150)
        other = growth.of_number("b", 3.0, changes=[], time=300, start=250)

        assert (0 + 1, None, 3.0) == (growth.forgotten, again, other)


class TestEveryWayIn:
    """The same histogram by OTLP, by a page and by remote write is the same points."""

    @given(st.lists(values, min_size=2, max_size=4))
    def test_tells_the_same(self, rounds):
        told, measured = [], []
        for further in rounds:
            measured += further
            told.append(heap_of(measured))
        expected = [
            (grown.count, grown.point().buckets)
            for before, now in pairwise(told)
            if (grown := now.since(before)).count
        ]

        for way in (by_otlp, by_page, by_remote_write):
            assert expected == [(point.count, point.buckets) for point in way(told)], way


def by_otlp(heaps):
    growth = Growth(began=1)
    translator = Translator(growth, now=lambda: 9 * SECOND)
    for at, heap in enumerate(heaps, start=10):
        point = {
            "timeUnixNano": at * SECOND,
            "explicitBounds": BOUNDS,
            "bucketCounts": heap.counts,
            "count": int(heap.count),
            "sum": heap.total,
        }
        histogram = {"dataPoints": [point], "aggregationTemporality": 2}
        metrics = [{"name": "wait", "histogram": histogram}]
        body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}
        told = translator.translate("metrics", json.dumps(body).encode(), JsonEncoding())
        yield from (point for _, points in told.parcel.groups for point in points)


def lines_of(heap):
    below = [sum(heap.counts[: place + 1]) for place in range(len(heap.counts))]
    for bound, count in zip((*BOUNDS, "+Inf"), below, strict=True):
        yield f'wait_bucket{{le="{bound}"}}', count
    yield "wait_sum", heap.total
    yield "wait_count", int(heap.count)


def by_page(heaps):
    exposition = Exposition({}, max_samples=100, began=1)
    for at, heap in enumerate(heaps, start=10):
        lines = [f"{name} {value!r}\n" for name, value in lines_of(heap)]
        page = "# TYPE wait histogram\n" + "".join(lines)
        yield from exposition.points(text_string_to_metric_families(page), at * SECOND)
        exposition.commit()


def by_remote_write(heaps):
    points = RemotePoints(100, began=1)
    for at, heap in enumerate(heaps, start=10):
        request = message_class(V1)()
        for text, value in lines_of(heap):
            name, _, label = text.partition("{")
            series = request.timeseries.add()
            series.labels.add(name="__name__", value=name)
            if label:
                series.labels.add(name="le", value=label.split('"')[1])
            series.samples.add(value=value, timestamp=at * 1000)
        told = points.translate(read_message(request.SerializeToString(), V1))
        points.commit()
        yield from (point for group in told.points.values() for point in group)


def test_bounds_told_as_sums_are_those_between():
    assert (1.0, 2.0) == heap_below({1.0: 1, inf: 3}, 5.0).counts
