"""Single measurements of clients that fold nothing, as points."""

from __future__ import annotations

from collections.abc import Mapping

from qmon_sdk.protocol.buckets import bucket_of
from qmon_sdk.protocol.signals import Point


def point_of_value(
    metric: str, value: float, *, time: int, unit: str = "", attributes: Mapping[str, str]
) -> Point:
    """A distribution of one value, which must be finite."""
    return Point(
        time=time,
        metric=metric,
        kind="distribution",
        value=value,
        unit=unit,
        count=1,
        minimum=value,
        maximum=value,
        buckets={bucket_of(value): 1},
        attributes={key: text for key, text in attributes.items() if text},
    )
