"""The sheet a sampler writes its numbers on: gauges as they are, totals as differences."""

from __future__ import annotations

from qmon_sdk.protocol.signals import Point

Series = tuple[str, tuple[tuple[str, str], ...]]
# How long a total that does not grow says nothing, after having said so once.
QUIET_NS = 60_000_000_000


class Total:
    """One running total of the system: what it was, and on which sheet."""

    __slots__ = ("before", "quiet_since", "sheet")

    def __init__(self, value: float, sheet: int) -> None:
        self.before = value
        self.sheet = sheet
        self.quiet_since: int | None = None

    def growth(self, value: float) -> float:
        """How much it grew since the last look; a smaller one began anew."""
        before, self.before = self.before, value
        return value - before if value >= before else value

    def is_news(self, growth: float, now: int) -> bool:
        """Whether to write it: all growth, the first rest after it, and one rest in a minute."""
        since = self.quiet_since
        if growth:
            self.quiet_since = None
            return True
        if since is not None and 0 <= now - since < QUIET_NS:
            return False
        self.quiet_since = now
        return True


class Totals(dict[Series, Total]):
    """Running totals of the system, remembered from one sheet to the next."""

    sheets = 0

    def keep_only(self, sheet: int, *, count: int) -> None:
        """Forget what is no longer there, so that unplugged devices cost nothing."""
        if count < len(self):
            for gone in [series for series, total in self.items() if total.sheet != sheet]:
                del self[gone]


class Sheet:
    """The numbers of one moment."""

    def __init__(self, now: int, totals: Totals) -> None:
        self.points: list[Point] = []
        self._now = now
        self._totals = totals
        self._number = totals.sheets = totals.sheets + 1
        self._seen = 0

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
        known = self._totals.get(series)
        if known is None:
            self._totals[series] = Total(float(value), self._number)
            self._seen += 1
            return None
        if known.sheet != self._number:
            known.sheet = self._number
            self._seen += 1
        growth = known.growth(float(value))
        if known.is_news(growth, self._now):
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
        self._totals.keep_only(self._number, count=self._seen)
        return self.points
