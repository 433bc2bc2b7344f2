"""`functools.lru_cache`: what it counts is told, and no call costs more."""

from __future__ import annotations

import gc
from functools import cache, lru_cache

import pytest

from qmon_sdk.client import current
from qmon_sdk.integrations.lru_cache import watch_cache
from qmon_sdk.start import shutdown


@pytest.fixture
def watched(told):
    return told.begin(integrations=("lru_cache",))


@lru_cache(maxsize=2)
def price_of(article):
    return article


@pytest.fixture
def price():
    price_of.cache_clear()
    return watch_cache(price_of, name="price")


def told_of(told, name="price"):
    """What was told so far of a cache: counters added up, gauges as they were last."""
    found = {}
    for point in told.all("point"):
        if point.attributes.get("cache.name") == name:
            before = found.get(point.metric, 0) if point.kind == "counter" else 0
            found[point.metric] = before + point.value
    return found


class TestAWatchedCache:
    def test_tells_hits_misses_and_size(self, watched, price):
        for article in (1, 2, 2, 2, 3):
            price(article)

        told = told_of(watched)
        assert {"cache.hits": 2, "cache.misses": 3, "cache.size": 2, "cache.max_size": 2} == told

    def test_tells_only_what_is_new(self, watched, price):
        price(1)
        assert 1 == told_of(watched)["cache.misses"]
        price(1)

        assert {"cache.hits": 1, "cache.misses": 1} == counters(told_of(watched))

    def test_is_told_of_at_once_in_a_quiet_program(self, watched, price):
        price(1)
        before = len(watched.transport.frames)
        deadline(lambda: len(watched.transport.frames) > before)

    def test_may_be_cleared(self, watched, price):
        price(1)
        price(2)
        told_of(watched)
        price.cache_clear()
        price(1)

        assert 3 == told_of(watched)["cache.misses"]

    def test_is_named_after_its_function(self, watched):
        @watch_cache
        @cache
        def double(number):
            return 2 * number

        double(1)
        name = f"{__name__}.{double.__qualname__}"
        assert {"cache.misses": 1, "cache.size": 1} == told_of(watched, name)

    def test_is_the_function_itself(self):
        assert price_of is watch_cache(price_of)
        assert price_of is watch_cache(name="other")(price_of)

    def test_that_is_gone_is_asked_no_more(self, watched):
        watch_cache(lru_cache(str), name="gone")
        gc.collect()

        assert {} == told_of(watched, "gone")

    def test_counts_from_the_start_on(self, told, price):
        price(1)
        told.begin(integrations=("lru_cache",))
        price(1)

        assert {"cache.hits": 1} == counters(told_of(told))

    def test_is_silent_after_the_integration_is_removed(self, watched, price):
        current().integrations["lru_cache"].remove()
        price(1)

        assert {} == told_of(watched)

    def test_of_no_cache_is_trouble_and_harms_nobody(self):
        shutdown()
        with pytest.raises(AttributeError):  # loud here, because this is pytest
            watch_cache(print)


def counters(told):
    return {name: value for name, value in told.items() if name in {"cache.hits", "cache.misses"}}


def deadline(is_done, seconds=5.0):
    import time

    until = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < until
        time.sleep(0.01)
