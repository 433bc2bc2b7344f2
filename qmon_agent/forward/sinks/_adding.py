"""Points of a batch onto the totals, in the order and at the times that a series may have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import msgspec

from qmon_agent.forward.batch import Batch, signals_of
from qmon_sdk.protocol.frames import Frame
from qmon_sdk.protocol.signals import Point

from ._series import Labels, key_of, labels_of, name_of
from ._totals import MOST_BUCKETS, Total, Totals

_MS = 1_000_000
_KINDS = frozenset({"counter", "gauge", "distribution"})


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One point as its series sees it: `total` is what the series is now."""

    name: str = ""
    labels: Labels = ()
    total: Total | None = None
    is_first: bool = False
    """Whether the series was not known before."""
    problem: str = ""
    """Why the point cannot be told; then there is no total."""


def steps_of(batch: Batch, totals: Totals, *, per_process: bool) -> Iterator[Step]:
    """Every point once; what the totals know is changed with each, and kept by whoever asked."""
    for frame in batch.frames:
        for kind, rows in signals_of(frame):
            if kind == "point":
                for row in rows:
                    yield _step(frame, cast("Point", row), totals=totals, per_process=per_process)


def _step(frame: Frame, point: Point, *, totals: Totals, per_process: bool) -> Step:
    if len(point.buckets) > MOST_BUCKETS:
        return Step(problem=f"a distribution of {len(point.buckets)} buckets")
    name, labels = name_of(frame, point), labels_of(frame, point, per_process=per_process)
    key = key_of(name, labels)
    before = totals.get(key)
    kind = point.kind if point.kind in _KINDS else "gauge"
    asked_ms = max(0, point.time) // _MS
    if before is None or before.kind != kind:
        start_ms = _start_ms(frame, asked_ms, per_process=per_process)
        before = Total(kind, start_ms, 0, unit=point.unit)
    # Series take no two values for one millisecond, and none for an earlier one. A sum is right
    # a moment later too; a gauge of long ago is not.
    at_ms = max(asked_ms, before.last_ms + 1)
    if kind == "gauge" and asked_ms < before.last_ms:
        return Step(problem="a gauge older than what was sent of it")
    total = before.add(point, at_ms)
    totals.put(key, total)
    return Step(name=name, labels=labels, total=total, is_first=not before.last_ms)


def _start_ms(frame: Frame, asked_ms: int, *, per_process: bool) -> int:
    """Since when a new series adds up: its process's start, as far as that can be."""
    started_ms = frame.resource.started // _MS
    return started_ms if per_process and 0 < started_ms < asked_ms else max(0, asked_ms - 1)
