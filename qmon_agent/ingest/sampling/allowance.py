"""Token buckets, one per key: what one key wastes is taken from no other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

_SECOND = 1_000_000_000
OVERFLOW = ""
"""The key that those share for which there is no room."""


class Allowance:
    """`per_s` a second and key, `burst` at once; of `most_keys` at the same time.

    A key that was silent for as long as its bucket takes to fill is as good as one never seen: it
    is forgotten without anybody noticing. Where so many are busy that none can be forgotten, new
    ones share one bucket.
    """

    def __init__(self, per_s: float, burst: float, *, most_keys: int = 10_000) -> None:
        self._per_ns = max(per_s, 0.0) / _SECOND
        self._burst = max(burst, 0.0)
        self._full_after = int(self._burst / self._per_ns) if self._per_ns else 1 << 62
        self._most = max(most_keys, 1)
        self._buckets: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def takes(self, key: Hashable, now: int) -> bool:
        """Take one token if there is one; a clock that goes back gives none."""
        buckets = self._buckets
        if key not in buckets and len(buckets) >= self._most:
            key = self._room_for(key, now)
        tokens, since = buckets.get(key, (self._burst, now))
        tokens = min(self._burst, tokens + max(0, now - since) * self._per_ns)
        is_taken = tokens >= 1.0
        buckets[key] = (tokens - 1.0 if is_taken else tokens, max(since, now))
        buckets.move_to_end(key)
        return is_taken

    def _room_for(self, key: Hashable, now: int) -> Hashable:
        oldest = next(iter(self._buckets))
        if now - self._buckets[oldest][1] < self._full_after:
            return OVERFLOW
        del self._buckets[oldest]
        return key
