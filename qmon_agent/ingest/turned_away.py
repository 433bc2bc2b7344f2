"""Who was not let in, and why: what an operator has to see who wonders where a sender is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from qmon_agent.vitals import Vitals

_MOST_SENDERS = 64
_OTHERS = "others"


class TurnedAway:
    """Counts by reason and sender; senders beyond a number are counted as one. On the loop."""

    def __init__(self, vitals: Vitals, *, now: Callable[[], float] = time.monotonic) -> None:
        self._vitals = vitals
        self._now = now
        self._senders: set[str] = set()
        self._reasons: dict[str, _Account] = {}

    def note(self, reason: str, sender: str) -> None:
        """A request was refused; `reason` is one of few words."""
        account = self._reasons.setdefault(reason, _Account())
        account.requests += 1
        account.last_from, account.last_at = sender, self._now()
        if sender in self._senders or len(self._senders) < _MOST_SENDERS:
            self._senders.add(sender)
        else:
            sender = _OTHERS
        account.senders.add(sender)
        self._vitals.add("requests_refused", reason=reason, sender=sender)

    def describe(self) -> list[dict[str, Any]]:
        """Each reason, that of the newest first."""
        now = self._now()
        newest = sorted(self._reasons.items(), key=lambda each: -each[1].last_at)
        return [
            {
                "reason": reason,
                "requests": account.requests,
                "senders": len(account.senders),
                "last_from": account.last_from,
                "last_s": round(now - account.last_at, 3),
            }
            for reason, account in newest
        ]


class _Account:
    """What came of one reason."""

    __slots__ = ("last_at", "last_from", "requests", "senders")

    def __init__(self) -> None:
        self.requests = 0
        self.senders: set[str] = set()
        self.last_from = ""
        self.last_at = 0.0
