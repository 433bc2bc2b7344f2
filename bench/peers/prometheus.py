"""prometheus_client: counted here, and read by a scraper."""

from __future__ import annotations

from prometheus_client import REGISTRY, Counter, generate_latest


def begin(_):
    """There is nothing to begin."""


def labelled():
    """Name the labels at each call."""
    counter = Counter("requests", "Requests.", ("method", "status"))

    def add(method, status):
        counter.labels(method, status).inc()

    return add


def bound():
    """Name the labels once."""
    return Counter("requests", "Requests.", ("method", "status")).labels("GET", "2xx").inc


def flush():
    """Be scraped."""
    generate_latest(REGISTRY)
