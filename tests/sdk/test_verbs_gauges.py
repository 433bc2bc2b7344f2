"""A gauge that was at rest, or jumps, is told before its turn; any other has one row a turn."""

from __future__ import annotations

import time
from random import Random

import pytest

import qmon_sdk as qmon
from qmon_sdk.gauges import PRICE, Gauge
from qmon_sdk.testing import capture


@pytest.fixture
def gauge():
    """A gauge that somebody listens to; `woken` tells how often it woke them."""
    gauge, woken = Gauge("depth"), []
    gauge.begin(lambda: woken.append(1))
    return gauge, woken


def turn(gauge, *values):
    for value in values:
        gauge.add(value)
    return gauge.take()


def sent_soon(told):
    """The frames with something in them, when there are some."""
    deadline = time.monotonic() + 60
    while not (sent := [frame for frame in told.frames if frame.blocks]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return sent


class TestNews:
    def test_is_what_comes_after_a_rest_and_nothing_after_it(self, gauge):
        gauge, woken = gauge
        gauge.add(3)
        first = gauge.take_news()
        gauge.add(3)

        assert (3.0, 1) == (first.last, first.count)
        assert gauge.take_news() is None
        assert [1] == woken
        assert (3.0, 1) == (gauge.take().last, 1)

    def test_wakes_again_after_a_turn_without_a_value(self, gauge):
        gauge, woken = gauge
        turn(gauge, 1)
        turn(gauge, 2)
        assert [1] == woken
        turn(gauge)

        gauge.add(3)

        assert [1, 1] == woken
        assert 3.0 == gauge.take_news().last

    @pytest.mark.parametrize(
        ("value", "is_news"), [(12, False), (9, False), (13, True), (-3, True)]
    )
    def test_is_a_value_outside_of_where_it_used_to_be(self, gauge, value, is_news):
        gauge, _ = gauge
        for _ in range(PRICE):
            turn(gauge, 0, 10)

        gauge.add(value)

        assert is_news is (gauge.take_news() is not None)

    def test_is_one_jump_in_ten_turns(self, gauge):
        gauge, _ = gauge
        told = 0
        for number in range(1 + 10 * PRICE):
            gauge.add(4.0**number)
            told += gauge.take_news() is not None
            turn(gauge, 4.0**number)

        assert 1 + 10 == told  # the first was at rest

    def test_is_forgotten_to_be_unusual_in_a_minute_or_two(self, gauge):
        gauge, _ = gauge
        turn(gauge, 0, 1000)
        for _ in range(120):
            turn(gauge, 0, 10)

        gauge.add(50)

        assert 50.0 == gauge.take_news().last

    @pytest.mark.parametrize("wrong", ["9", None, object(), [9], float("nan")])
    def test_is_no_value_that_would_have_to_be_asked(self, gauge, wrong):
        gauge, _ = gauge
        for _ in range(PRICE):
            turn(gauge, 0, 1)

        gauge.add(wrong)

        assert gauge.take_news() is None
        assert 1 == gauge.take().refused


class TestRows:
    def test_of_a_busy_gauge_are_one_a_turn(self):
        draw = Random(1)
        with capture(metric_interval_s=3600.0, flush_interval_s=60.0) as told:
            recorder = qmon.client.current().recorder
            recorder.tick()
            for _ in range(60):
                for _ in range(4):
                    qmon.gauge("noise", draw.gauss(100, 5))
                    recorder.tick()
                qmon.flush()

            points = told.points

        assert 60 <= len(points) <= 60 + 60 // PRICE
        assert 240 == sum(point.count for point in points)

    def test_of_counters_wait_for_their_turn(self, told):
        told.begin(metric_interval_s=3600.0, flush_interval_s=60.0)
        recorder = qmon.client.current().recorder
        recorder.tick()
        qmon.count("paid")
        qmon.distribution("size", 1)
        recorder.tick()
        waiting = [frame for frame in told.frames if frame.blocks]
        qmon.gauge("depth", 1)

        assert [] == waiting
        (sent,) = sent_soon(told)
        assert ["point"] == [block.kind for block in sent.blocks]
        assert {"point": 1} == dict(sent.ledger.captured)  # in the same frame


class TestAProgramAtRest:
    def test_tells_the_next_value_long_before_the_turn(self, told):
        told.begin(metric_interval_s=3600.0, flush_interval_s=3600.0)
        qmon.client.current().recorder.tick()
        qmon.gauge("depth", 5)

        assert 1 == len(sent_soon(told))
