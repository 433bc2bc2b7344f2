"""Histograms of other systems: how many there are between which values, and the sum of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from math import exp2, inf, isfinite, ldexp

import msgspec

from qmon_agent.ingest.spreading import MOST, Spread
from qmon_sdk.protocol.signals import NO_BUCKETS, Point

Part = tuple[float, float]
# Of those nobody put between bounds, the mean is what is known.
_ALL: Part = (-inf, inf)
_MOST_EXPONENT = 1023.0


class Heap(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, put between bounds: sum and number are exact, places as near as known.

    The parts are in their order and do not overlap. Where none is told, nothing is between them.
    """

    parts: tuple[Part, ...]
    counts: tuple[float, ...]
    count: float
    total: float
    least: float = -inf
    """Nothing is less, where it is told; the range of all there has been since it began."""
    most: float = inf
    by_powers: bool = False
    """Whether the bounds are powers, so that values are spread evenly over their logarithms."""
    is_whole: bool = True
    """Whether its range is its own, and not that of the heap it is a part of."""

    def since(self, before: Heap) -> Heap | None:
        """What has come since a reading before; None where it has begun again.

        Bounds that the two do not share are no bounds: what lies between those they share is
        compared, and lies where the later one has it.
        """
        if self.count < before.count:
            return None
        if self.parts == before.parts:
            pairs = zip(self.counts, before.counts, strict=True)
            counts: Sequence[float] | None = [now - then for now, then in pairs]
        else:
            counts = _compared(self, before)
        if counts is None or any(count < 0 for count in counts):
            return None
        return msgspec.structs.replace(
            self,
            counts=tuple(counts),
            count=self.count - before.count,
            total=self.total - before.total,
            is_whole=False,
        )

    def point(self, **told: object) -> Point:
        """A distribution; `told` is the rest of its fields."""
        spread = self._spread()
        low, high = spread.range
        fields = {
            "kind": "distribution",
            "value": self.total if isfinite(self.total) else 0.0,
            "count": round(min(self.count, MOST)),
            "minimum": self.least if self.is_whole and isfinite(self.least) else low,
            "maximum": self.most if self.is_whole and isfinite(self.most) else high,
            "buckets": spread.buckets or NO_BUCKETS,
        }
        return Point(**{**fields, **told})  # type: ignore[arg-type]  # the fields of a point

    def _spread(self) -> Spread:
        """Counts are rounded as they are summed up, so that parts of one do not get lost."""
        result = Spread(buckets={})
        so_far, told = 0.0, 0
        for (lower, upper), count in zip(self.parts, self.counts, strict=True):
            if count:
                so_far += min(count, MOST)
                number = round(so_far) - told
                told += number
                bounds = max(lower, self.least), min(upper, self.most)
                if (lower, upper) == _ALL:
                    bounds = (self.total / self.count,) * 2
                result.add(*bounds, count=number, by_powers=self.by_powers)
        return result


def heap_below(below: Mapping[float, float], total: float) -> Heap:
    """Of upper bounds, and how many are at most so large, the lower ones included."""
    bounds = tuple(sorted(below))
    so_far, counts = 0.0, []
    for upper in bounds:
        counts.append(max(0.0, below[upper] - so_far))
        so_far = below[upper]
    return heap_between((-inf, *bounds), counts, total=total)


def heap_between(edges: tuple[float, ...], counts: Sequence[float], *, total: float) -> Heap:
    """Of bounds in their order, infinite ones included, and how many are between each two."""
    return Heap(parts=_between(edges), counts=tuple(counts), count=float(sum(counts)), total=total)


def heap_of_parts(parts: Mapping[Part, float], *, total: float, by_powers: bool = False) -> Heap:
    """Of parts in any order."""
    ordered = sorted(parts.items())
    return Heap(
        parts=tuple(part for part, _ in ordered),
        counts=tuple(count for _, count in ordered),
        count=float(sum(parts.values())),
        total=total,
        by_powers=by_powers,
    )


def add_power(
    parts: dict[Part, float], index: int, scale: int, *, count: float, sign: int = 1
) -> None:
    """Adds those between base^index and base^(index + 1), where base is 2^(2^−scale)."""
    lower, upper = _power(index, scale), _power(index + 1, scale)
    part = (lower, upper) if sign > 0 else (-upper, -lower)
    parts[part] = parts.get(part, 0) + count


@lru_cache(4_096)
def _between(edges: tuple[float, ...]) -> tuple[Part, ...]:
    """Cached, so that all series of the same bounds share them."""
    return tuple(pairwise(edges))


@lru_cache(65_536)
def _power(index: int, scale: int) -> float:
    """What no double holds is the largest, or the smallest, that does."""
    try:
        exponent = ldexp(index, -scale)
    except OverflowError:
        exponent = _MOST_EXPONENT if index >= 0 else -_MOST_EXPONENT
    return exp2(min(max(exponent, -_MOST_EXPONENT + 1), _MOST_EXPONENT))


def _compared(now: Heap, before: Heap) -> list[float] | None:
    """What came in each part of now, of parts that are cut otherwise; None if something went."""
    cuts = [(part, -1, count) for part, count in zip(before.parts, before.counts, strict=True)]
    cuts += [(part, at, now.counts[at]) for at, part in enumerate(now.parts)]
    grown = [0.0] * len(now.parts)
    group: list[tuple[Part, int, float]] = []
    end = -inf
    for cut in (*sorted(cuts), None):
        if cut is None or not (cut[0][0] < end or (group and cut[0] == group[-1][0])):
            if not _share(group, grown):
                return None
            group, end = [], -inf
        if cut is not None:
            group.append(cut)
            end = max(end, cut[0][1])
    return grown


def _share(group: list[tuple[Part, int, float]], grown: list[float]) -> bool:
    """What came to parts that overlap, shared as the later reading has them; no if it is less."""
    held = sum(count for _, at, count in group if at >= 0)
    more = held - sum(count for _, at, count in group if at < 0)
    if more < 0:
        return False
    for _, at, count in group:
        if at >= 0 and held:
            grown[at] = more * count / held
    return True
