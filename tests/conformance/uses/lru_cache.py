"""A function with a cache, which finds and misses."""

from __future__ import annotations

from functools import lru_cache

from qmon_sdk.integrations.lru_cache import watch_cache

TELLS = ("point",)


def use(servers):
    cached = watch_cache(lru_cache(str), name="str")
    cached(1)
    yield
    cached(1)
    cached(2)
    held.append(cached)  # a cache that is gone before metrics are sent tells nothing


held = []
