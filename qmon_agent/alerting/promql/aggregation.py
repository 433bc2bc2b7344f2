"""Aggregations: one value of many series, or some of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from .evaluation import Moment, Vector, gathered
from .labels import Cut, Labels, labels_of
from .statistics import deviation, greatest, least, mean, quantile, total, variance
from .tree import Node, PromqlError

_MOST = 1 << 63

FOLDS: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": total,
    "avg": mean,
    "min": least,
    "max": greatest,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "stddev": deviation,
    "stdvar": variance,
}
SOME = frozenset({"topk", "bottomk"})

Groups = dict[Labels, list[tuple[Labels, float]]]


class Aggregation(Node):
    """`sum by (a) (...)` and its like."""

    def __init__(self, inner: Node, cut: Cut, *, parameter: Node | None = None) -> None:
        self.children = (inner,) if parameter is None else (inner, parameter)
        self._cut = cut

    def _grouped(self, moment: Moment) -> Groups:
        groups: Groups = {}
        cut = self._cut
        for labels, value in moment.vector(self.children[0]).items():
            key = labels.cut(cut)
            if key in groups:
                groups[key].append((labels, value))
            else:
                groups[key] = [(labels, value)]
        return groups

    def _number(self, moment: Moment) -> float:
        return moment.scalar(self.children[1])


class Fold(Aggregation):
    """One number of each group."""

    def __init__(self, name: str, inner: Node, cut: Cut) -> None:
        super().__init__(inner, cut)
        self._fold = FOLDS[name]
        self._spreads = name in {"stddev", "stdvar"}

    def run(self, moment: Moment) -> Vector:
        groups: dict[Labels, list[float]] = {}
        cut = self._cut
        for labels, value in moment.vector(self.children[0]).items():
            key = labels.cut(cut)
            if key in groups:
                groups[key].append(value)
            else:
                groups[key] = [value]
        fold = self._fold
        if self._spreads and moment.settings.closed:
            # Prometheus 2 looks at no value that is alone, be it NaN.
            alone = {labels: 0.0 for labels, values in groups.items() if len(values) == 1}
            return alone | {k: fold(v) for k, v in groups.items() if k not in alone}
        return {labels: fold(values) for labels, values in groups.items()}


class Quantile(Aggregation):
    """`quantile(0.9, ...)`."""

    def run(self, moment: Moment) -> Vector:
        share = self._number(moment)
        return {
            labels: quantile(share, (value for _, value in members))
            for labels, members in self._grouped(moment).items()
        }


class Extremes(Aggregation):
    """`topk` and `bottomk`: the series themselves; NaN only where nothing else is left."""

    def __init__(self, name: str, inner: Node, cut: Cut, *, parameter: Node) -> None:
        super().__init__(inner, cut, parameter=parameter)
        self._sign = -1.0 if name == "topk" else 1.0

    def run(self, moment: Moment) -> Vector:
        number = self._number(moment)
        if not -_MOST <= number < _MOST:
            raise PromqlError(f"Scalar value {number} overflows int64")
        if number < 1:
            return {}
        return dict(self._chosen(moment, int(number)))

    def certain(self) -> Node:
        """Who is not among the first was looked at as well."""
        return self.children[0].certain()

    def _chosen(self, moment: Moment, number: int) -> Iterator[tuple[Labels, float]]:
        for members in self._grouped(moment).values():
            yield from sorted(members, key=self._rank)[:number]

    def _rank(self, member: tuple[Labels, float]) -> tuple[bool, float]:
        return math.isnan(member[1]), self._sign * member[1]


class CountValues(Aggregation):
    """`count_values("label", ...)`: how many series have each value."""

    def __init__(self, inner: Node, cut: Cut, *, label: str) -> None:
        super().__init__(inner, cut)
        self._label = label

    def run(self, moment: Moment) -> Vector:
        return gathered(self._counted(moment))

    def _counted(self, moment: Moment) -> Iterator[tuple[Labels, float]]:
        counts: dict[Labels, int] = {}
        for labels, members in self._grouped(moment).items():
            for _, value in members:
                key = labels_of({**labels.mapping(), self._label: written(value)})
                counts[key] = counts.get(key, 0) + 1
        for labels, count in counts.items():
            yield labels, float(count)


def written(value: float) -> str:
    """As Go writes a number with no more digits than it needs, and no exponent."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    from decimal import Decimal

    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0") if "." in text else text
