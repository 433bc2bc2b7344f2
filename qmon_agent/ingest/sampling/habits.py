"""What is usual: how long a route takes, and which spans are seen every few minutes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from qmon_sdk.protocol.buckets import bucket_of

from .allowance import Allowance

Route = tuple[str, str]
"""Service, and the route or the name of what began the trace there."""

_MINUTE = 60_000_000_000
_ENOUGH = 100  # traces of a route before its slowest are told from the others
_REFRESH = 64  # traces between two looks at the quantile
_FORGETFUL = 4_096  # traces after which what was before counts half


class _Durations:
    """The durations of one route, as log buckets that fade."""

    __slots__ = ("bound", "counts", "total")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.total = 0
        self.bound: int | None = None

    def add(self, bucket: int, quantile: float) -> None:
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.total += 1
        if self.total >= _FORGETFUL:
            self.counts = {index: n >> 1 for index, n in self.counts.items() if n > 1}
            self.total = sum(self.counts.values())
        if self.total >= _ENOUGH and (self.bound is None or not self.total % _REFRESH):
            self.bound = self._at(quantile)

    def _at(self, quantile: float) -> int:
        left = self.total * (1.0 - quantile)
        for index in sorted(self.counts, reverse=True):
            left -= self.counts[index]
            if left < 0:
                return index
        return min(self.counts)


class Pace:
    """Tells the slow of a route from the others, by a quantile of those before."""

    def __init__(self, quantile: float, *, most_routes: int) -> None:
        self._quantile = quantile
        self._most = most_routes
        self._routes: OrderedDict[Route, _Durations] = OrderedDict()

    def is_slow(self, route: Route, duration_ns: int) -> bool:
        """Whether it took longer than nearly all before it; it is counted for those to come."""
        if not 0.0 < self._quantile < 1.0:
            return False
        known = self._routes.pop(route, None) or _Durations()
        self._routes[route] = known
        if len(self._routes) > self._most:
            self._routes.popitem(last=False)
        bucket = bucket_of(float(max(duration_ns, 0)))
        is_slow = known.bound is not None and bucket > known.bound
        known.add(bucket, self._quantile)
        return is_slow


class Novelty:
    """Tells what has not been seen for a while; a flood of new names is let in by `per_s` only."""

    def __init__(self, after_s: float, *, per_s: float, most: int) -> None:
        self._after = int(after_s * 1e9)
        self._most = most
        self._seen: OrderedDict[Route, int] = OrderedDict()
        self._allowance = Allowance(per_s, max(per_s, 1.0), most_keys=1)

    def is_rare(self, names: Iterable[Route], now: int) -> bool:
        """Whether one of them was not seen lately; from now on all of them were."""
        if not self._after:
            return False
        seen, rare = self._seen, False
        for name in names:
            since = seen.get(name)
            rare = rare or since is None or now - since >= self._after
            seen[name] = now
            seen.move_to_end(name)
        while len(seen) > self._most:
            seen.popitem(last=False)
        return rare and self._allowance.takes("", now)


class Floor:
    """The first few of each route and minute, which nobody may leave out."""

    def __init__(self, per_minute: int, *, most_routes: int) -> None:
        self._per_minute = per_minute
        self._most = most_routes
        self._minute = -1
        self._kept: dict[Route, int] = {}

    def enter(self, route: Route, now: int) -> bool:
        """Whether the floor needs one more of this route; what is kept for any reason counts."""
        if now // _MINUTE != self._minute:
            self._minute = now // _MINUTE
            self._kept.clear()
        kept = self._kept.get(route, 0)
        if kept >= self._per_minute or (not kept and len(self._kept) >= self._most):
            return False
        self._kept[route] = kept + 1
        return True
