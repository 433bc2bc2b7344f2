"""Which points a rule looks at, and how the series they belong to is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.point_columns import points_of
from qmon_sdk.protocol.signals import Point


class Selector(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of one system or of any, narrowed by attributes."""

    metric: str
    system: str = ""
    where: Mapping[str, str] = {}

    def points(self, batch: Observed) -> Iterator[Point]:
        """The points of a batch that are meant, in order."""
        if self.system and batch.service != self.system:
            return
        for point in points_of(batch.points, self.metric):
            if self.where.items() <= point.attributes.items():
                yield point


def series(service: str, attributes: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The stable name of a series, and its labels."""
    labels = {"service": service, **attributes}
    return msgspec.json.encode(labels, order="sorted").decode(), labels
