"""What of a point is compared."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qmon_agent.domain.errors import ConfigError, nearest_to
from qmon_sdk.protocol.buckets import quantile
from qmon_sdk.protocol.signals import Point


def _mean(point: Point) -> float:
    return (
        point.value / point.count if point.kind == "distribution" and point.count else point.value
    )


def _quantile(point: Point, q: float) -> float:
    return quantile(point.buckets, q) if point.buckets else _mean(point)


MEASURES: dict[str, Callable[[Point], float]] = {
    "value": _mean,
    "sum": lambda point: point.value,
    "count": lambda point: float(point.count),
    "minimum": lambda point: point.minimum,
    "maximum": lambda point: point.maximum,
    "p50": partial(_quantile, q=0.5),
    "p95": partial(_quantile, q=0.95),
    "p99": partial(_quantile, q=0.99),
}
"""What of a point is compared; `value` is a gauge's value, a counter's delta, a mean otherwise."""


def check_measure(name: str) -> None:
    """Raise ConfigError, with the nearest, for one there is none of."""
    if name not in MEASURES:
        known = nearest_to(name, MEASURES) or tuple(MEASURES)
        raise ConfigError("measure", f"no measure {name!r}", known)
