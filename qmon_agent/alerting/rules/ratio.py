"""A share of what happened: of one count in another, over a window."""

from __future__ import annotations

from collections.abc import Iterator

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.point_columns import points_of

from . import About, Fact
from ._series import Counted, group
from ._shares import Counts, Shared, shares


class RatioRule(Shared, kw_only=True, forbid_unknown_fields=True):
    """Compares `part` divided by `whole`, both counted over a window."""

    part: Counted
    """What is counted above the line: a metric, and `where`."""
    whole: Counted
    """What is counted below it, the part included."""
    system: str = ""
    """Only points of this service; empty means each service by itself."""

    def __post_init__(self) -> None:
        self.prepare()

    def about(self) -> About:
        return About(metric=self.whole.metric, also=(self.part.metric,), policy=self.policy)

    def notice(self, batch: Observed) -> Iterator[Fact]:
        if self.system in {"", batch.service}:
            yield from shares(self._counts(batch), batch.time)

    def _counts(self, batch: Observed) -> Iterator[Counts]:
        for metric in {self.whole.metric: 0, self.part.metric: 0}:
            for point in points_of(batch.points, metric):
                part, whole = self.part.amount(point), self.whole.amount(point)
                if part or whole:
                    yield group(batch.service, self.per, point.attributes), part, whole
