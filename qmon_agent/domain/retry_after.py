"""How long a server asks to be left alone."""

from __future__ import annotations

from email.utils import parsedate_to_datetime


def seconds_of(retry_after: str, now_s: float) -> float:
    """What `Retry-After` says, as seconds or as a date; zero when it says nothing."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - now_s)
    except (TypeError, ValueError):
        return 0.0
