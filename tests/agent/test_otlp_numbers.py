"""Metrics of OpenTelemetry: what is cumulative becomes what has come, and nothing counts twice."""

from __future__ import annotations

import json

import pytest

from qmon_agent.ingest.growth import Growth
from qmon_agent.ingest.otlp.json_encoding import JsonEncoding
from qmon_agent.ingest.otlp.translation import Translator
from qmon_sdk.protocol.buckets import bucket_of, quantile

DELTA, CUMULATIVE = 1, 2
NOW = 1_767_225_600_000_000_000
BEGAN = NOW - 1000


class Metrics:
    """Tells one metric of one process again and again."""

    def __init__(self, **bounds) -> None:
        self.hand = 0.0
        self.series = Growth(began=BEGAN, clock=lambda: self.hand, **bounds)
        self.translator = Translator(self.series, now=lambda: NOW)

    def tell(self, kind, *points, keep=True, name="m", **about):
        metric = {"name": name, kind: {"dataPoints": points, **about}}
        body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
        told = self.translator.translate("metrics", json.dumps(body).encode(), JsonEncoding())
        self.translator.kept() if keep else self.translator.refused(told)
        self.rejected = told.rejected
        return [point for _, points in told.parcel.groups for point in points]

    def counted(self, value, at, *, start=BEGAN, **more):
        point = {"startTimeUnixNano": start, "timeUnixNano": NOW + at, "asDouble": value}
        about = {"aggregationTemporality": CUMULATIVE, "isMonotonic": True}
        return [each.value for each in self.tell("sum", point, **about, **more)]


@pytest.fixture
def metrics():
    return Metrics()


def a_histogram(counts, at=0, **more):
    usual = {"startTimeUnixNano": BEGAN, "timeUnixNano": NOW + at, "explicitBounds": [1, 10]}
    told = {"bucketCounts": counts, "count": sum(counts), "sum": 5.0 * sum(counts)}
    return {**usual, **told, **more}


def exponential(positive, at=0, scale=1, offset=0):
    count = sum(positive)
    return {
        "startTimeUnixNano": BEGAN,
        "timeUnixNano": NOW + at,
        "scale": scale,
        "count": count,
        "sum": float(count),
        "positive": {"offset": offset, "bucketCounts": positive},
    }


class TestCumulativeSums:
    def test_become_what_has_come_since(self, metrics):
        assert [[5], [2], [0]] == [metrics.counted(v, at) for at, v in enumerate((5, 7, 7))]

    def test_count_in_full_when_they_began_anew(self, metrics):
        metrics.counted(5, 0)

        assert [6] == metrics.counted(6, 1, start=NOW)

    def test_count_in_full_when_they_have_become_less(self, metrics):
        metrics.counted(5, 0)

        assert [3] == metrics.counted(3, 1)

    def test_count_from_where_they_are_when_they_began_before_us(self, metrics):
        assert [[], [2]] == [metrics.counted(v, at, start=BEGAN - 1) for at, v in ((0, 5), (1, 7))]

    def test_count_nothing_twice(self, metrics):
        metrics.counted(5, 1)

        assert [[], []] == [metrics.counted(5, 1), metrics.counted(4, 0)]

    def test_mean_the_same_when_they_come_again_after_a_refusal(self, metrics):
        metrics.counted(5, 0)

        assert [[2], [2]] == [metrics.counted(7, 1, keep=keep) for keep in (False, True)]

    def test_that_rise_and_fall_are_readings(self, metrics):
        point = {"timeUnixNano": NOW, "asInt": "-3"}
        (told,) = metrics.tell("sum", point, aggregationTemporality=CUMULATIVE)

        assert ("gauge", -3.0) == (told.kind, told.value)

    def test_are_forgotten_when_silent_for_long(self):
        metrics = Metrics(expire_s=10)
        metrics.counted(5, 0)
        metrics.hand = 11.0
        metrics.counted(1, 0, name="other")

        assert 1 == len(metrics.series)

    def test_are_remembered_up_to_a_bound(self):
        metrics = Metrics(most=2)
        for number in range(5):
            metrics.counted(1, 0, name=f"m{number}")

        assert (2, 3) == (len(metrics.series), metrics.series.forgotten)


class TestHistograms:
    def test_keep_sum_count_and_range(self, metrics):
        point = a_histogram([0, 4, 0], min=2, max=8)
        (told,) = metrics.tell("histogram", point, aggregationTemporality=DELTA)

        assert ("distribution", 20.0, 4) == (told.kind, told.value, told.count)
        assert (2.0, 8.0) == (told.minimum, told.maximum)
        assert dict.fromkeys(map(bucket_of, (2.75, 4.25, 5.75, 7.25)), 1) == told.buckets

    def test_become_what_has_come_since(self, metrics):
        counts = ([1, 2, 0], [1, 5, 1], [1, 0, 0])
        told = [
            metrics.tell("histogram", a_histogram(c, at), aggregationTemporality=CUMULATIVE)
            for at, c in enumerate(counts)
        ]

        assert [3, 4, 1] == [point.count for (point,) in told]
        assert [3, 4, 1] == [sum(point.buckets.values()) for (point,) in told]

    def test_of_powers_are_within_four_percent(self, metrics):
        (told,) = metrics.tell(
            "exponentialHistogram",
            exponential([0, 0, 0, 9], scale=4, offset=16),
            aggregationTemporality=DELTA,
        )

        assert 2.0 ** (19.5 / 16) == pytest.approx(quantile(told.buckets, 0.5), rel=0.04)

    def test_of_powers_may_become_coarser(self, metrics):
        told = [
            metrics.tell("exponentialHistogram", point, aggregationTemporality=CUMULATIVE)
            for point in (exponential([1, 2, 3, 4]), exponential([3, 8], at=1, scale=0))
        ]

        assert [10, 1] == [point.count for (point,) in told]
        assert {bucket_of(2**1.5): 1} == told[1][0].buckets

    @pytest.mark.parametrize(
        "point",
        [
            a_histogram([1, 2]),
            a_histogram([1, 2, 1 << 63]),
            a_histogram([1, 2, 3], sum="NaN"),
            a_histogram([1, 2, 3], explicitBounds=["NaN", 1]),
        ],
    )
    def test_that_contradict_themselves_are_rejected(self, metrics, point):
        assert [] == metrics.tell("histogram", point, aggregationTemporality=DELTA)
        assert 1 == sum(metrics.rejected.values())

    @pytest.mark.parametrize("scale", [-(1 << 31), (1 << 31) - 1])
    def test_of_any_scale_are_finite_numbers(self, metrics, scale):
        point = exponential([1, 1], scale=scale, offset=-1)

        assert 1 == len(metrics.tell("exponentialHistogram", point, aggregationTemporality=DELTA))


class TestOthers:
    def test_summaries_become_counters_and_readings(self, metrics):
        point = {
            "startTimeUnixNano": BEGAN,
            "timeUnixNano": NOW,
            "count": "3",
            "sum": 6.0,
            "quantileValues": [{"quantile": 0.5, "value": 2.0}],
        }
        told = metrics.tell("summary", point)

        assert [("m_count", "counter", 3.0), ("m_sum", "counter", 6.0), ("m", "gauge", 2.0)] == [
            (each.metric, each.kind, each.value) for each in told
        ]
        assert {"quantile": "0.5"} == told[2].attributes

    def test_deltas_are_taken_as_they_are(self, metrics):
        point = {"timeUnixNano": NOW, "asInt": 4}
        about = {"aggregationTemporality": "AGGREGATION_TEMPORALITY_DELTA", "isMonotonic": True}
        told = [metrics.tell("sum", point, **about)[0] for _ in range(2)]

        assert [("counter", 4.0)] * 2 == [(each.kind, each.value) for each in told]

    @pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
    def test_what_is_no_number_is_rejected(self, metrics, value):
        assert [] == metrics.tell("gauge", {"timeUnixNano": NOW, "asDouble": value})
        assert 1 == sum(metrics.rejected.values())

    def test_a_point_without_a_value_says_nothing(self, metrics):
        assert [] == metrics.tell("gauge", {"timeUnixNano": NOW, "flags": 1})
        assert {} == metrics.rejected
