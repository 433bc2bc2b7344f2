"""How many different ones there were, in bounded memory: a K-minimum-values sketch.

Of each name a number is made that is as good as random; only the K smallest are kept. Fewer than K
are counted exactly; else the K-th smallest, as a share u of all numbers there are, tells that there
were about (K − 1) / u (Bar-Yossef, Jayram, Kumar, Sivakumar, Trevisan: "Counting distinct elements
in a data stream", RANDOM 2002). The standard error is 1 / √(K − 2). Sketches of parts are joined by
keeping the K smallest of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

K = 256
"""An error of 6 %, once there are more than this many."""
_BITS = 48


def mark_of(name: str) -> int:
    """The number of a name: the same everywhere and for ever."""
    return int.from_bytes(blake2b(name.encode(), digest_size=_BITS // 8).digest(), "big")


def smallest(marks: Iterable[int]) -> list[int]:
    """The sketch of some marks, or of the marks of some sketches."""
    return sorted(set(marks))[:K]


def estimate(sketch: list[int]) -> float:
    """How many there were."""
    if len(sketch) < K:
        return float(len(sketch))
    return (K - 1) / (sketch[-1] / (1 << _BITS))
