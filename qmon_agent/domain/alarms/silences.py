"""Silences: what somebody wants to hear nothing of, for a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from .matchers import Labels, Matchers, all_hold

SilenceState = Literal["pending", "active", "expired"]


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Matchers, and from when until when they hold; times in nanoseconds UTC."""

    id: str
    matchers: Matchers
    starts_at: int
    ends_at: int
    author: str = ""
    comment: str = ""
    until_resolved: bool = False
    """Whether it ends as soon as nothing that it mutes is firing any more."""
    has_muted: bool = False
    """Whether something fired while it was active; before that, there is nothing to resolve."""

    def state(self, now: int) -> SilenceState:
        """It holds from its start on, and no more at its end."""
        if now < self.starts_at:
            return "pending"
        return "active" if now < self.ends_at else "expired"

    def mutes(self, labels: Labels, now: int) -> bool:
        """Whether an alert with these labels is told to nobody now."""
        return self.state(now) == "active" and all_hold(self.matchers, labels)


def silencers(silences: Iterable[Silence], labels: Labels, now: int) -> tuple[str, ...]:
    """The ids of those that mute an alert."""
    return tuple(each.id for each in silences if each.mutes(labels, now))


def problems_of(silence: Silence) -> tuple[str, ...]:
    """What is wrong with one that somebody wants to make."""
    wrong = []
    if not any(matcher.names_something for matcher in silence.matchers):
        wrong.append("at least one matcher must not fit an alert without labels")
    if silence.ends_at <= silence.starts_at:
        wrong.append("it must end after it starts")
    return tuple(wrong)


def expire(silence: Silence, now: int) -> Silence:
    """End it now; one that has not begun never will, and one that is over stays as it was."""
    if silence.state(now) == "expired":
        return silence
    start = min(silence.starts_at, now)
    return msgspec.structs.replace(silence, starts_at=start, ends_at=now)


def after_firing(silence: Silence, firing: Iterable[Labels], now: int) -> Silence:
    """The silence after a look at all that fires: over, if it was to end with what it muted."""
    if not silence.until_resolved or silence.state(now) != "active":
        return silence
    if any(all_hold(silence.matchers, labels) for labels in firing):
        return msgspec.structs.replace(silence, has_muted=True)
    return expire(silence, now) if silence.has_muted else silence
