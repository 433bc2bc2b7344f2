"""Numbers: added up in place, bounded, and lost by nobody."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import defaultdict
from decimal import Decimal

import pytest

import qmon_sdk as qmon
from qmon_sdk.testing import capture


class TestCount:
    def test_sends_the_sum_per_set_of_attributes(self, qmon_capture):
        qmon.count("paid", 2, attributes={"plan": "pro", "region": "eu"})
        qmon.count("paid", attributes={"region": "eu", "plan": "pro"})
        qmon.count("paid", attributes={"plan": "free"}, unit="{order}")
        told = {point.attributes["plan"]: point for point in qmon_capture.points}
        assert (told["pro"].value, told["pro"].count, told["pro"].kind) == (3, 2, "counter")
        assert (told["free"].value, told["free"].unit) == (1, "{order}")

    def test_sends_only_what_changed_since(self, qmon_capture):
        qmon.count("paid", 2)
        assert qmon_capture.total("paid") == 2
        qmon_capture.clear()
        assert qmon_capture.points == []
        qmon.count("paid", 5)
        assert qmon_capture.total("paid") == 5

    def test_is_silent_before_init(self):
        qmon.count("paid")
        qmon.gauge("depth", 1)
        qmon.distribution("size", 1)

    def test_loses_nothing_between_threads(self, qmon_capture):
        bound = qmon.count.bind("threads")

        def work():
            for _ in range(20_000):
                qmon.count("paid", attributes={"a": 1})
                bound()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        drained = sum(bool(qmon.flush()) for _ in range(20))
        for thread in threads:
            thread.join()
        assert drained == 20
        assert qmon_capture.total("paid") == qmon_capture.total("threads") == 160_000

    @pytest.mark.parametrize("wrong", [math.nan, math.inf, "3", None, object(), [1]])
    def test_counts_what_is_no_number_and_never_raises(self, qmon_capture, wrong):
        qmon.count("paid", wrong)
        qmon.count("paid", 2)
        assert qmon_capture.total("paid") == 2
        assert qmon.stats().dropped == {"point/invalid_value": 1}

    def test_takes_numbers_of_any_library(self, qmon_capture):
        qmon.count("paid", Decimal("1.5"))
        assert qmon_capture.total("paid") == 1.5

    def test_takes_labels_that_cannot_be_hashed(self, qmon_capture):
        for _ in range(2):
            qmon.count("paid", attributes={"basket": [1, 2]})
        assert qmon_capture.total("paid", basket="[1, 2]") == 2

    def test_tells_labels_apart_by_their_names_too(self, qmon_capture):
        for labels in ({"a": "x", "b": "y"}, {"a": "x", "c": "y"}, {"a": "x"}, {}, None) * 2:
            qmon.count("paid", attributes=labels)
        told = sorted((sorted(point.attributes), point.value) for point in qmon_capture.points)
        assert told == [([], 4), (["a"], 2), (["a", "b"], 2), (["a", "c"], 2)]

    def test_adds_nothing_to_labels_that_make_themselves_up(self, qmon_capture):
        given = defaultdict(str, {"b": "y"})
        for labels in ({"a": "x"}, given, given):
            qmon.count("paid", attributes=labels)
        assert given == {"b": "y"}
        assert qmon_capture.total("paid", b="y") == 2

    def test_hides_secrets_in_labels(self, qmon_capture):
        qmon.count("paid", attributes={"token": "t-1"})
        assert qmon_capture.points[0].attributes == {"token": "[scrubbed]"}


class TestBound:
    def test_works_before_init_and_from_client_to_client(self):
        paid = qmon.count.bind("paid.bound", attributes={"plan": "pro"})
        paid(7)
        for _ in range(2):
            with capture() as told:
                paid()
                paid(2)
                assert told.total("paid.bound", plan="pro") == 3
            paid(7)

    def test_adds_to_the_same_series_as_the_verb(self, qmon_capture):
        qmon.gauge("depth.bound", 4)
        depth = qmon.gauge.bind("depth.bound")
        depth(5)
        (point,) = qmon_capture.points
        assert (point.value, point.minimum, point.maximum, point.count) == (5, 4, 5, 2)


class TestGauge:
    def test_keeps_the_last_value(self, qmon_capture):
        for depth in range(3000):
            qmon.gauge("depth", depth)
        (point,) = qmon_capture.points
        assert (point.value, point.kind, point.maximum) == (2999, "gauge", 2999)


class TestDistribution:
    def test_keeps_count_sum_bounds_and_buckets(self, qmon_capture):
        for size in (1, 10, 100, 100, -5, 0):
            qmon.histogram("size", size, unit="By")
        (point,) = qmon_capture.points
        assert (point.count, point.value, point.minimum, point.maximum) == (6, 206, -5, 100)
        assert sorted(point.buckets.values()) == [1, 1, 1, 1, 2]

    def test_folds_what_does_not_wait_for_the_flusher(self, qmon_capture):
        for size in range(50_000):
            qmon.distribution("size", size % 10 + 1)
        assert sum(point.count for point in qmon_capture.points) == 50_000


class TestTimer:
    async def test_times_blocks_and_functions_of_every_kind(self, qmon_capture):
        @qmon.timer("work")
        def plain():
            return 1

        @qmon.timer("work")
        async def coroutine():
            await asyncio.sleep(0.01)

        @qmon.timer("work")
        def generator():
            yield from (1, 2)

        plain()
        await coroutine()
        assert list(generator()) == [1, 2]
        with qmon.timer("work"):
            pass
        async with qmon.timer("work"):
            pass
        (point,) = qmon_capture.points
        assert (point.count, point.unit) == (5, "s")
        assert 0.01 <= point.maximum < 5

    def test_times_what_fails(self, qmon_capture):
        with pytest.raises(KeyError), qmon.timer("work"):
            raise KeyError
        assert qmon_capture.points[0].count == 1


class TestCardinality:
    def test_beyond_the_limit_goes_to_one_series_and_is_counted(self):
        with capture(cardinality_limit=10) as told:
            for user in range(25):
                qmon.count("paid", attributes={"user": user})
            points = told.points
            assert len(points) == 11
            (overflow,) = [point for point in points if "user" not in point.attributes]
            assert overflow.attributes == {"otel.metric.overflow": "true"}
            assert overflow.value == 15
            assert qmon.stats().dropped == {"point/cardinality_limit": 15}

    def test_before_send_metric_drops_and_is_counted(self):
        with capture(before_send_metric=lambda point: None) as told:
            qmon.count("paid")
            assert told.points == []
            assert qmon.stats().dropped == {"point/before_send": 1}
