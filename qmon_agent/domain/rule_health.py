"""Is a rule worth having: one that never sees, never fires, always fires, or fails is told of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from .clock import SECOND

DAY = 86_400 * SECOND
QUIET_NS = 90 * DAY
"""So long a rule may be silent without being asked what it is for."""
ALWAYS_NS = 7 * DAY
"""What has fired for so long is no news, and hides what is."""
RECENT_NS = 3_600 * SECOND
"""A failure is told of for so long."""

Kind = Literal["failing", "never_matched", "always_firing", "never_fired"]


class RuleFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one rule; zero times mean `not yet`."""

    alert: str
    created_at: int
    is_matched: bool = True
    last_fired: int = 0
    firing: int = 0
    """How many instances fire."""
    firing_since: int = 0
    """Since when the one fires that has done so for longest."""
    failed_at: int = 0
    failure: str = ""


class Ailment(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a rule, and since when."""

    alert: str
    kind: Kind
    since: int
    detail: str


def ailments(rules: Iterable[RuleFacts], now: int) -> Iterator[Ailment]:
    """Of each rule the worst thing that is wrong with it, if anything is."""
    for facts in rules:
        found = _ailment(facts, now)
        if found is not None:
            yield found


def _ailment(facts: RuleFacts, now: int) -> Ailment | None:
    found = _found(facts, now)
    if found is None:
        return None
    kind, since, detail = found
    return Ailment(alert=facts.alert, kind=kind, since=since, detail=detail)


def _found(facts: RuleFacts, now: int) -> tuple[Kind, int, str] | None:
    if facts.failed_at and now - facts.failed_at < RECENT_NS:
        return "failing", facts.failed_at, f"it could not be judged: {facts.failure}"
    if not facts.is_matched:
        detail = (
            "nothing that it looks at has come lately, and what came before the rule was there it "
            "does not know: is it sent still, is its system or metric misspelt?"
        )
        return "never_matched", facts.created_at, detail
    if facts.firing and now - facts.firing_since >= ALWAYS_NS:
        days = (now - facts.firing_since) // DAY
        detail = f"it has fired for {days} days without a pause: raise its line, or mend the cause"
        return "always_firing", facts.firing_since, detail
    quiet_since = max(facts.last_fired, facts.created_at)
    if not facts.firing and now - quiet_since >= QUIET_NS:
        detail = f"it has not fired for {(now - quiet_since) // DAY} days: can it? try `backtest`"
        return "never_fired", quiet_since, detail
    return None
