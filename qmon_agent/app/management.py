"""What people say about alerts: silences, by whoever may, as documents for the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from qmon_agent.alerting.muting import Muting
from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.matchers import print_matchers
from qmon_agent.domain.alarms.silences import Silence
from qmon_agent.domain.clock import SECOND, Clock
from qmon_agent.domain.errors import ConfigError, QueryError

LONGEST_S = 366 * 86_400
MOST_TEXT = 1_000


def add_silence(muting: Muting, asked: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    """Make one: `matchers`, `for_s`, and maybe `in_s`; raises QueryError."""
    lasts_s = float(asked["for_s"])
    if not 0 < lasts_s <= LONGEST_S:
        raise QueryError("for_s: it has to last longer than nothing, and a year at most")
    now = clock.now()
    starts_at = now + round(float(asked.get("in_s", 0)) * SECOND)
    try:
        matchers = parse_matchers(asked["matchers"])
    except ConfigError as problem:
        raise QueryError(f"matchers: {problem.reason}") from None
    made = muting.add(
        Silence(
            id="",
            matchers=matchers,
            starts_at=starts_at,
            ends_at=starts_at + round(lasts_s * SECOND),
            author=str(asked.get("author", ""))[:MOST_TEXT],
            comment=str(asked.get("comment", ""))[:MOST_TEXT],
            until_resolved=bool(asked.get("until_resolved")),
        )
    )
    return _document(made, now)


def all_silences(muting: Muting, clock: Clock) -> list[dict[str, Any]]:
    """Every one that is not forgotten, those that end last first."""
    now = clock.now()
    return [_document(each, now) for each in muting.all()]


def expire_silence(muting: Muting, name: str, clock: Clock) -> dict[str, Any] | None:
    """End one now; `None` where none of this id lasts."""
    ended = muting.expire(name)
    return None if ended is None else _document(ended, clock.now())


def _document(silence: Silence, now: int) -> dict[str, Any]:
    told = msgspec.to_builtins(silence)
    told["matchers"] = print_matchers(silence.matchers)
    return {**told, "state": silence.state(now)}
