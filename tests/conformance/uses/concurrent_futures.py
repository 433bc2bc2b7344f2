"""A job for a pool of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

TELLS = ()  # it only lets the place follow


def use(servers):
    with ThreadPoolExecutor(1) as pool:
        assert 3 == pool.submit(len, "abc").result()
        yield
        assert 3 == pool.submit(len, "abc").result()
