"""Points as samples of series, as expressions name them (decision 0017)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

import msgspec

from qmon_agent.domain.exposition_names import cleaned, label_in, name_in, with_unit
from qmon_sdk.protocol.buckets import bucket_value
from qmon_sdk.protocol.signals import Point

from .observed import Observed
from .promql.labels import NAME

BOUNDS = tuple(
    float(f"{digits}e{power}") for power in range(-6, 12) for digits in ("1", "2.5", "5")
)
"""Of the buckets that a distribution is shown in."""
_LE = tuple(f"{bound:.15g}" for bound in BOUNDS)


class Sample(msgspec.Struct, frozen=True):
    """One value of one series; `grows`: it is to be added to what was before."""

    labels: dict[str, str]
    value: float
    grows: bool


def samples_of(point: Point, batch: Observed) -> Iterator[Sample]:
    """Under the name it has, and under the one that Prometheus would know it by."""
    own = {"job": batch.service, "environment": batch.environment, **point.attributes}
    clean = {label_in(key): value for key, value in own.items()}
    if point.kind == "distribution":
        yield from _distribution(point, clean)
        return
    grows = point.kind == "counter"
    names = dict.fromkeys((cleaned(point.metric), name_in(point)))
    for name in names:
        yield Sample({NAME: name, **clean}, point.value, grows)
    if point.metric not in names:
        yield Sample({NAME: point.metric, **own}, point.value, grows)


def _distribution(point: Point, labels: dict[str, str]) -> Iterator[Sample]:
    plain = cleaned(point.metric)
    for name in dict.fromkeys((plain, with_unit(plain, point.unit))):
        yield Sample({NAME: f"{name}_count", **labels}, float(point.count), True)
        yield Sample({NAME: f"{name}_sum", **labels}, point.value, True)
        bucket = {NAME: f"{name}_bucket", **labels}
        for le, count in zip(_LE, _below(point), strict=True):
            yield Sample({**bucket, "le": le}, float(count), True)
        yield Sample({**bucket, "le": "+Inf"}, float(point.count), True)


def _below(point: Point) -> Iterator[int]:
    """How many were not above each bound."""
    counts = [0] * (len(BOUNDS) + 1)
    for index, count in point.buckets.items():
        counts[bisect_left(BOUNDS, bucket_value(index))] += count
    return accumulate(counts[: len(BOUNDS)])


def may_be(metric: str, watched: set[str]) -> bool:
    """Whether a metric may have a series of one of these names; empty is any name."""
    if "" in watched or metric in watched:
        return True
    plain = cleaned(metric).removesuffix("_total")
    return any(name.startswith(plain) for name in watched)
