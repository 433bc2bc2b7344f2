"""The sheet a sampler writes its numbers on: gauges as they are, totals as differences."""

from __future__ import annotations

from qmon_sdk.protocol.signals import Point

Series = tuple[str, tuple[tuple[str, str], ...]]
# How long a total that does not grow says nothing, after having said so once.
QUIET_NS = 60_000_000_000


class Totals:
    """Running totals of the system, remembered from one sheet to the next."""

    def __init__(self) -> None:
        self._before: dict[Series, float] = {}
        self._quiet: dict[Series, int] = {}

    def growth(self, series: Series, total: float) -> float | None:
        """How much it grew since the last look; none at the first; a smaller one began anew."""
        before = self._before.get(series)
        self._before[series] = total
        if before is None:
            return None
        return total - before if total >= before else total

    def is_news(self, series: Series, growth: float, now: int) -> bool:
        """Whether to write it: all growth, the first rest after it, and one rest in a minute."""
        if growth:
            self._quiet.pop(series, None)
            return True
        since = self._quiet.get(series)
        if since is not None and 0 <= now - since < QUIET_NS:
            return False
        self._quiet[series] = now
        return True

    def keep_only(self, seen: set[Series]) -> None:
        """Forget what is no longer there, so that unplugged devices cost nothing."""
        for gone in self._before.keys() - seen:
            del self._before[gone]
            self._quiet.pop(gone, None)


class Sheet:
    """The numbers of one moment."""

    def __init__(self, now: int, totals: Totals) -> None:
        self.points: list[Point] = []
        self._now = now
        self._totals = totals
        self._seen: set[Series] = set()

    def gauge(
        self, metric: str, value: float, *, unit: str = "1", of: dict[str, str] | None = None
    ) -> None:
        """A number that is what it is."""
        self.points.append(
            Point(time=self._now, metric=metric, value=float(value), unit=unit, attributes=of or {})
        )

    def total(
        self, metric: str, value: float, *, unit: str, of: dict[str, str] | None = None
    ) -> float | None:
        """A number that only grows; answered is how much, from the second look on.

        Most totals of a host rest most of the time: a growth of nothing is not written each time.
        """
        attributes = of or {}
        series = (metric, tuple(attributes.items()))
        self._seen.add(series)
        growth = self._totals.growth(series, float(value))
        if growth is not None and self._totals.is_news(series, growth, self._now):
            self.points.append(
                Point(
                    time=self._now,
                    metric=metric,
                    kind="counter",
                    value=growth,
                    unit=unit,
                    attributes=attributes,
                )
            )
        return growth

    @property
    def is_written(self) -> bool:
        """Whether anything was seen, also where a first look at a total writes nothing."""
        return bool(self.points or self._seen)

    def finish(self) -> list[Point]:
        """The points; totals that were not on this sheet are forgotten."""
        self._totals.keep_only(self._seen)
        return self.points
