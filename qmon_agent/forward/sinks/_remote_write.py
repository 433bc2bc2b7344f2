"""Prometheus's remote write in both versions: series with labels in order, snappy around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, log2
from typing import Literal

import msgspec

from qmon_sdk.protocol.buckets import ZERO, bucket_value
from qmon_sdk.protocol.signals import Buckets

from ._adding import Step
from ._bounds import bounds_for
from ._protobuf import data, double, packed, signed, text, varint, whole, zigzag
from ._series import Labels, number, with_label
from ._totals import Total

Version = Literal["1.0", "2.0"]
CONTENT_TYPES: dict[str, tuple[str, str]] = {
    "1.0": ("application/x-protobuf", "0.1.0"),
    "2.0": ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0"),
}
"""Content type and version header, by version."""

_TYPES = {"counter": 1, "gauge": 2, "distribution": 3}
# Of native buckets, each is 2^(1/16) times the one before: about as wide as ours, of 4 %.
_SCHEMA = 4
_ZERO_WIDTH = 2.0**-128


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One series with one or two values: a number, or a native histogram."""

    labels: Labels
    """With the name, in order."""
    samples: tuple[tuple[int, float], ...] = ()
    native: Total | None = None
    total: Total
    family: str


def series_of(step: Step, *, bounds: Sequence[float], native: bool) -> Iterator[Series]:
    """What a step is to Prometheus; a new sum is preceded by a zero, so that it is not missed."""
    total = step.total
    if total is None:
        return
    if total.kind != "distribution":
        yield _plain(step, total, name=step.name, value=total.value)
    elif native:
        labels = with_label(step.labels, "__name__", step.name)
        yield Series(labels=labels, native=total, total=total, family=step.name)
    else:
        yield from _classic(step, total, bounds)


def _classic(step: Step, total: Total, bounds: Sequence[float]) -> Iterator[Series]:
    for bound, count in cumulative(total, bounds):
        labels = with_label(step.labels, "le", number(bound))
        bucket = msgspec.structs.replace(step, labels=labels)
        yield _plain(bucket, total, name=f"{step.name}_bucket", value=count)
    yield _plain(step, total, name=f"{step.name}_sum", value=total.value)
    yield _plain(step, total, name=f"{step.name}_count", value=total.count)


def _plain(step: Step, total: Total, *, name: str, value: float) -> Series:
    samples: tuple[tuple[int, float], ...] = ((total.last_ms, value),)
    if step.is_first and total.kind != "gauge":
        samples = ((total.last_ms - 1, 0.0), *samples)
    labels = with_label(step.labels, "__name__", name)
    return Series(labels=labels, samples=samples, total=total, family=step.name)


def cumulative(total: Total, bounds: Sequence[float]) -> Iterator[tuple[float, int]]:
    """How many were at most each bound, and at most infinity; a bucket counts by its middle.

    Without bounds, they are those that fit the unit.
    """
    values = sorted((bucket_value(index), count) for index, count in total.buckets.items())
    place = passed = 0
    for bound in bounds_for(total.unit, bounds):
        while place < len(values) and values[place][0] <= bound:
            passed += values[place][1]
            place += 1
        yield bound, passed
    yield float("inf"), total.count


# --- 1.0 -------------------------------------------------------------------------------------


def request_1(many: Sequence[Series]) -> bytes:
    """A `WriteRequest`: series, then what their families are."""
    series = b"".join(data(1, _series_1(each)) for each in many)
    families = {each.family: each.total for each in many}
    return series + b"".join(
        data(3, whole(1, _TYPES[total.kind]) + text(2, name) + text(5, total.unit))
        for name, total in families.items()
    )


def _series_1(series: Series) -> bytes:
    labels = b"".join(data(1, text(1, label) + text(2, value)) for label, value in series.labels)
    samples = b"".join(data(2, double(1, value) + whole(2, at)) for at, value in series.samples)
    return labels + samples + (data(4, _native(series.native)) if series.native else b"")


# --- 2.0 -------------------------------------------------------------------------------------


def request_2(many: Sequence[Series]) -> bytes:
    """A `Request`: every text once, and series that point to them."""
    symbols: dict[str, int] = {"": 0}
    series = b"".join(data(5, _series_2(each, symbols)) for each in many)
    return b"".join(data(4, each.encode("utf-8", "replace")) for each in symbols) + series


def _series_2(series: Series, symbols: dict[str, int]) -> bytes:
    def place(symbol: str) -> int:
        return symbols.setdefault(symbol, len(symbols))

    total = series.total
    start_ms = total.start_ms if total.kind != "gauge" else 0
    labels = packed(1, (place(part) for pair in series.labels for part in pair))
    samples = b"".join(
        data(2, double(1, value) + whole(2, at) + whole(3, start_ms))
        for at, value in series.samples
    )
    native = data(3, _native(series.native) + whole(17, start_ms)) if series.native else b""
    about = data(5, whole(1, _TYPES[total.kind]) + whole(4, place(total.unit)))
    return labels + samples + native + about


# --- native histograms, the same in both -----------------------------------------------------


def _native(total: Total) -> bytes:
    above, zeros, below = _sides(total.buckets)
    return b"".join(
        (
            whole(1, sum(above.values()) + zeros + sum(below.values())),
            double(3, total.value),
            signed(4, _SCHEMA),
            double(5, _ZERO_WIDTH),
            whole(6, zeros),
            *_side(below, spans=8, deltas=9),
            *_side(above, spans=11, deltas=12),
            whole(15, total.last_ms),
        )
    )


def _sides(buckets: Buckets) -> tuple[dict[int, int], int, dict[int, int]]:
    """Native buckets of the positive values, how many zeros, and those of the negative ones."""
    above: dict[int, int] = {}
    below: dict[int, int] = {}
    for index, count in buckets.items():
        if index == ZERO:
            continue
        value = bucket_value(index)
        native = ceil(log2(abs(value)) * (1 << _SCHEMA))
        side = above if value > 0 else below
        side[native] = side.get(native, 0) + count
    return above, buckets.get(ZERO, 0), below


def _side(counts: dict[int, int], *, spans: int, deltas: int) -> Iterator[bytes]:
    """Runs of neighbours, and each count as the difference from the one before."""
    runs: list[list[int]] = []
    end = 0
    for index in sorted(counts):
        if not runs or index != end:
            runs.append([index - end, 0])
        runs[-1][1] += 1
        end = index + 1
    yield from (data(spans, signed(1, offset) + whole(2, length)) for offset, length in runs)
    before, steps = 0, []
    for index in sorted(counts):
        steps.append(zigzag(counts[index] - before))
        before = counts[index]
    joined = b"".join(map(varint, steps))
    yield data(deltas, joined) if joined else b""
