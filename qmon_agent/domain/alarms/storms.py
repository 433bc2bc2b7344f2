"""The storm brake: when more begins than anybody can read, it is said once, and summed up later.

What a channel has heard begin it hears go on and end. What was held it hears nothing more of,
unless it is told again when the storm is over: by then it was in the count.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from qmon_agent.domain.catalog import SEVERITIES

MOST_HUSHED = 10_000
"""Of so many it is known that their beginning was held; of more, the end is told all the same."""
MOST_KINDS = 200
OTHERS = "others"
SUMS_UP = 10
"""A message about so many incidents is no flood: it sums up itself."""


class Brake(msgspec.Struct, frozen=True, kw_only=True):
    """More than `most` that begin within `within_ns` are a storm; `most` 0: there is no brake."""

    most: int = 0
    within_ns: int = 0


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is about to be sent to a channel."""

    thread: str
    """What it is about: an incident, or a group."""
    kind: str = ""
    """By which it is counted."""
    severity: str = "warning"
    status: Literal["firing", "acknowledged", "resolved"] = "firing"
    begins: bool = True
    """Whether it fires and the channel has heard nothing of it before."""
    incidents: int = 1

    def is_news(self, hushed: Container[str]) -> bool:
        """Whether the channel would hear now that it fires: what was held is news when repeated."""
        return self.status == "firing" and (self.begins or self.thread in hushed)

    @property
    def always_passes(self) -> bool:
        return self.severity == "critical" or self.incidents >= SUMS_UP


class Storm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What began lately on one channel, and what is held since too much did."""

    began: tuple[int, ...] = ()
    """The moments, the oldest first; at most one more than the brake allows."""
    since: int = 0
    """Zero: there is none."""
    count: int = 0
    """How many were held that would have told the channel that something fires."""
    kinds: Mapping[str, int] = {}
    severity: str = ""
    """The worst of those that are held."""
    anchor: str = ""
    """What was held first."""
    hushed: Mapping[str, int] = {}
    """What fires and was held at its beginning → the storm's beginning; older storms' as well."""

    @property
    def firing(self) -> int:
        """How many of those that this storm has held are not over."""
        return sum(since == self.since for since in self.hushed.values())

    @property
    def largest(self) -> list[tuple[str, int]]:
        """The kinds of which most were held."""
        return sorted(self.kinds.items(), key=lambda each: (-each[1], each[0]))


CALM = Storm()


class Braked(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of what is to be said, or of time going by."""

    storm: Storm
    held: frozenset[int] = frozenset()
    """Which of the messages are not sent."""
    announced: bool = False
    """Whether it is to be said now that there is a storm."""
    ended: Storm | None = None
    """The one that is over now."""


def brake(storm: Storm, said: Sequence[Said], now: int, *, by: Brake) -> Braked:
    """After some messages, or none; it is over when half of what the brake allows has begun lately.

    A clock that is set back ends it, too.
    """
    recent = [at for at in storm.began if 0 <= now - at < by.within_ns]
    begun = sum(each.is_news(storm.hushed) and not each.always_passes for each in said)
    is_over = 2 * (len(recent) + begun) <= by.most or not by.most
    after = Storm(hushed=storm.hushed) if is_over else storm
    turn = _Turn(after, recent, now, by=by)
    held = frozenset(n for n, each in enumerate(said) if turn.holds(each))
    stands = turn.storm()
    return Braked(
        storm=stands,
        held=held,
        announced=bool(stands.since) and not after.since,
        ended=replace(storm, hushed=stands.hushed) if storm.since and is_over else None,
    )


class _Turn:
    """One turn, in which each message is weighed after those before it."""

    def __init__(self, before: Storm, recent: list[int], now: int, *, by: Brake) -> None:
        self.since = before.since
        self._before = before
        self._recent = recent
        self._now = now
        self._by = by
        self._hushed = dict(before.hushed)
        self._kinds = dict(before.kinds)
        self._count, self._anchor = before.count, before.anchor
        self._severity = before.severity

    def holds(self, said: Said) -> bool:
        """Whether this one is not sent."""
        if said.status != "firing":
            is_hushed = said.thread in self._hushed
            if said.status == "resolved":
                self._hushed.pop(said.thread, None)
            return is_hushed and said.severity != "critical"
        if not said.always_passes and self._is_too_much(said):
            self._hold(said)
            return True
        self._hushed.pop(said.thread, None)
        return False

    def storm(self) -> Storm:
        """How it stands after all of them."""
        return replace(
            self._before,
            began=tuple(self._recent[-self._by.most - 1 :]) if self._by.most else (),
            since=self.since,
            count=self._count,
            kinds=self._kinds,
            severity=self._severity,
            anchor=self._anchor,
            hushed=self._hushed,
        )

    def _is_too_much(self, said: Said) -> bool:
        if not self._by.most or not said.is_news(self._hushed):
            return False
        self._recent.append(self._now)
        if not self.since and len(self._recent) > self._by.most:
            self.since = self._now
        return bool(self.since)

    def _hold(self, said: Said) -> None:
        kind = said.kind if said.kind in self._kinds or len(self._kinds) < MOST_KINDS else OTHERS
        if said.begins or self._hushed.get(said.thread) != self.since:
            self._count += 1
            self._kinds[kind] = self._kinds.get(kind, 0) + 1
            self._anchor = self._anchor or said.thread
        self._severity = max(self._severity, said.severity, key=_weight)
        if said.thread in self._hushed or len(self._hushed) < MOST_HUSHED:
            self._hushed[said.thread] = self.since


def _weight(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1
