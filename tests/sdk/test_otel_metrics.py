"""OpenTelemetry's instruments on our metrics, and those that are asked by the thread we have."""

from __future__ import annotations

import gc
import threading
import time

import pytest
from opentelemetry.metrics import NoOpMeter, Observation

import qmon_sdk as qmon
from qmon_sdk.otel import MeterProvider

SCOPE = {"otel.scope.name": "m", "otel.scope.version": "2"}


@pytest.fixture
def provider(told):
    made = MeterProvider()
    yield made
    made.shutdown()


@pytest.fixture
def meter(provider):
    return provider.get_meter("m", "2")


def points(told, name):
    return [point for point in told.all("point") if point.metric == name]


class TestInstruments:
    def test_become_the_kinds_of_points_we_have(self, told, meter):
        meter.create_counter("c", "1").add(2, {"k": "v"})
        meter.create_histogram("h", "s").record(2.5, {"k": ["a", 1]})
        meter.create_gauge("g").set(-7)

        kinds = {
            name: (point.kind, point.value, point.unit, point.attributes)
            for name in "chg"
            for point in points(told, name)
        }
        assert kinds == {
            "c": ("counter", 2.0, "1", {"k": "v", **SCOPE}),
            "h": ("distribution", 2.5, "s", {"k": "['a', 1]", **SCOPE}),
            "g": ("gauge", -7.0, "", SCOPE),
        }

    def test_of_one_name_are_one(self, told, meter, provider):
        meter.create_counter("orders").add(1)
        provider.get_meter("m", "2").create_counter("Orders").add(1)

        assert meter.create_counter("orders") is meter.create_counter("ORDERS")
        assert [2.0] == [point.value for point in points(told, "orders")]

    def test_leave_out_what_a_counter_cannot_be_given(self, told, meter):
        counter = meter.create_counter("c")
        for wrong in (-1, float("nan"), "three", None):
            counter.add(wrong)
        counter.add(1)

        assert 1.0 == sum(point.value for point in points(told, "c"))

    def test_go_on_with_the_next_client(self, told, meter):
        counter = meter.create_counter("c")
        counter.add(1)
        told.begin()
        counter.add(2)

        assert 3.0 == sum(point.value for point in points(told, "c"))

    def test_keep_nothing_without_a_client(self):
        before = qmon.stats().captured
        MeterProvider().get_meter("m").create_counter("c").add(1)

        assert before == qmon.stats().captured


class TestUpDownCounter:
    def test_tells_what_it_has_come_to(self, told, meter):
        counter = meter.create_up_down_counter("requests")
        counter.add(3, {"k": "v"})
        counter.add(-1, {"k": "v"})
        counter.add(5)
        qmon.flush()
        counter.add(-2, {"k": "v"})

        with_k = [point for point in points(told, "requests") if "k" in point.attributes]
        assert [("gauge", 2.0), ("gauge", 0.0)] == [(each.kind, each.value) for each in with_k]

    def test_counts_on_while_nobody_records(self):
        provider = MeterProvider()
        counter = provider.get_meter("m").create_up_down_counter("open")
        for _ in range(5000):
            counter.add(1)
        with qmon_capture() as captured:
            assert 5000.0 == captured.points[-1].value
        provider.shutdown()

    def test_is_told_as_long_as_somebody_holds_it(self, told):
        counter = MeterProvider().get_meter("m").create_up_down_counter("held")
        gc.collect()
        counter.add(4)

        assert [4.0] == [point.value for point in points(told, "held")]

    def test_of_nobody_is_forgotten(self, told):
        MeterProvider().get_meter("m").create_up_down_counter("dropped").add(4)
        gc.collect()

        assert [] == points(told, "dropped")

    def test_loses_nothing_among_threads(self, told, meter):
        counter = meter.create_up_down_counter("n")
        threads = [
            threading.Thread(target=lambda: [counter.add(1) for _ in range(3000)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 12000.0 == points(told, "n")[-1].value

    def test_has_room_for_so_many_sets_of_attributes(self, told, meter):
        counter = meter.create_up_down_counter("n")
        for number in range(2100):
            counter.add(1, {"user": number})

        overflow = [p for p in points(told, "n") if "otel.metric.overflow" in p.attributes]
        assert [100.0] == [point.value for point in overflow]


def qmon_capture():
    from qmon_sdk.testing import capture

    return capture()


class TestObservables:
    def test_are_asked_when_numbers_are_sent(self, told, meter):
        meter.create_observable_gauge("g", [lambda _: [Observation(3, {"k": "v"})]], "By")
        meter.create_observable_up_down_counter("u", [lambda _: [Observation(-4)]])

        assert [("gauge", 3.0, "By")] == [(p.kind, p.value, p.unit) for p in points(told, "g")]
        assert [("gauge", -4.0)] == [(p.kind, p.value) for p in points(told, "u")][:1]

    def test_that_count_tell_what_was_added(self, told, meter):
        values = iter([5, 7, 7, 2])
        meter.create_observable_counter("c", [lambda _: [Observation(next(values), {"k": "v"})]])
        for _ in range(3):
            qmon.flush()

        assert [5.0, 2.0, 2.0] == [point.value for point in points(told, "c")]

    def test_may_be_generators(self, told, meter):
        def ask():
            options = yield []
            while True:
                options = yield [Observation(options.timeout_millis)]

        meter.create_observable_gauge("g", [ask()])

        assert [10_000.0] == [point.value for point in points(told, "g")][-1:]

    def test_that_fail_keep_no_other_from_being_asked(self, told, meter):
        def fail(_):
            raise OSError("gone")

        meter.create_observable_gauge("good", [lambda _: [Observation(1)]])
        meter.create_observable_gauge("bad", [fail])
        meter.create_observable_gauge("worse", [lambda _: 5])

        for _ in range(2):
            qmon.flush()

        assert points(told, "good")
        assert "observe bad: OSError" in qmon.stats().trouble

    def test_are_asked_without_anybody_flushing(self, told, meter):
        asked = threading.Event()
        meter.create_observable_gauge("g", [lambda _: asked.set() or []])

        assert asked.wait(5)

    def test_are_asked_when_the_client_comes_later(self, tmp_path):
        provider, asked = MeterProvider(), threading.Event()
        provider.get_meter("m").create_observable_gauge("g", [lambda _: asked.set() or []])
        with qmon_capture():
            assert asked.wait(5)
        provider.shutdown()

    def test_are_asked_no_more_after_the_shutdown(self, told, meter, provider):
        asked = []
        meter.create_observable_gauge("g", [lambda _: asked.append(1) or []])
        provider.shutdown()
        asked.clear()
        qmon.flush()

        assert [] == asked
        assert isinstance(provider.get_meter("late"), NoOpMeter)

    def test_are_not_asked_all_the_time(self, told, meter):
        asked = []
        meter.create_observable_gauge("g", [lambda _: asked.append(1) or []])
        time.sleep(0.8)  # three ticks

        assert len(asked) <= 1
