"""The garbage collector: pauses and collections are metrics, and nothing is locked for them."""

from __future__ import annotations

import gc

import pytest

from qmon_sdk.client import current
from qmon_sdk.integrations import remove
from qmon_sdk.integrations.gc import MOST, Listener
from qmon_sdk.metrics import count


@pytest.fixture
def watching(told):
    gc.disable()
    yield told.begin(integrations=("gc",))
    gc.enable()


def points_of(told):
    return {
        (point.metric, point.attributes.get("cpython.gc.generation", "")): point
        for point in told.all("point")
    }


class TestCollections:
    def test_are_metrics_by_generation(self, watching):
        count("something")
        ring = []
        ring.append(ring)
        del ring
        gc.collect(2)

        points = points_of(watching)
        assert 1 == points["cpython.gc.collections", "2"].value
        assert points["cpython.gc.collected_objects", "2"].value >= 1
        assert 0 < points["cpython.gc.pause", "2"].maximum < 10
        assert "s" == points["cpython.gc.pause", "2"].unit

    def test_are_told_once_a_second(self, watching):
        count("something")
        gc.collect(2)
        gc.collect(0)

        assert ("cpython.gc.pause", "0") not in points_of(watching)

    def test_start_nothing_while_nobody_else_speaks(self, watching):
        gc.collect()

        assert not current().recorder.is_awake

    def test_are_kept_within_a_bound(self, told):
        listener = Listener()
        for _ in range(MOST + 10):
            listener("start", {})
            listener("stop", {"generation": 0, "collected": 0, "uncollectable": 0})

        assert MOST == len(listener._collections)


class TestRemoving:
    def test_leaves_no_callback(self, watching):
        remove("gc")

        assert not [one for one in gc.callbacks if isinstance(one, Listener)]
