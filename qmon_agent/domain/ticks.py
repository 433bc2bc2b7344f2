"""The moments at which all wake together who wake every so often."""

from __future__ import annotations


def until_tick(now: float, every_s: float) -> float:
    """Seconds until the shared moment that is nearest to `every_s` from now.

    Moments are multiples of the interval: who wakes each second and who wakes every ten cost one
    waking between them, where each at a moment of its own would cost a core's sleep each time.
    """
    if every_s <= 0:
        return 0.0
    return max(0.0, round(now / every_s + 1) * every_s - now)
