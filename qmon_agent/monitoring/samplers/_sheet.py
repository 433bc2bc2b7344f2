"""The sheet a sampler writes its numbers on: gauges as they are, totals as differences."""

from __future__ import annotations

from qmon_sdk.protocol.signals import Point

Series = tuple[str, tuple[tuple[str, str], ...]]


class Totals:
    """Running totals of the system, remembered from one sheet to the next."""

    def __init__(self) -> None:
        self._before: dict[Series, float] = {}

    def growth(self, series: Series, total: float) -> float | None:
        """How much it grew since the last look; none at the first; a smaller one began anew."""
        before = self._before.get(series)
        self._before[series] = total
        if before is None:
            return None
        return total - before if total >= before else total

    def keep_only(self, seen: set[Series]) -> None:
        """Forget what is no longer there, so that unplugged devices cost nothing."""
        for gone in self._before.keys() - seen:
            del self._before[gone]


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
        self._write(
            Point(time=self._now, metric=metric, value=float(value), unit=unit, attributes=of or {})
        )

    def total(
        self, metric: str, value: float, *, unit: str, of: dict[str, str] | None = None
    ) -> float | None:
        """A number that only grows; written and answered is how much, from the second look on."""
        attributes = of or {}
        series = (metric, tuple(attributes.items()))
        self._seen.add(series)
        growth = self._totals.growth(series, float(value))
        if growth is not None:
            self._write(
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

    def finish(self) -> list[Point]:
        """The points; totals that were not on this sheet are forgotten."""
        self._totals.keep_only(self._seen)
        return self.points

    def _write(self, point: Point) -> None:
        self.points.append(point)
