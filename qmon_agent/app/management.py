"""What people do about alerts: silences, acknowledgements, remarks, as documents for the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec

from qmon_agent.alerting.care import Deed, Kind
from qmon_agent.alerting.doubts import strangers_in
from qmon_agent.alerting.muting import Muting
from qmon_agent.app.reason_words import in_words
from qmon_agent.domain.alarms.handling import UNHANDLED
from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.matchers import print_matchers
from qmon_agent.domain.alarms.silences import Silence
from qmon_agent.domain.clock import SECOND, Clock
from qmon_agent.domain.errors import ConfigError, QueryError
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.ledger import IncidentRecord

FLAPS = "flapping"
LONGEST_S = 366 * 86_400
MOST_TEXT = 1_000


def incidents_of(
    state: StateStore, found: Sequence[IncidentRecord], muted: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Each with its alert's name, who looks after it, and what keeps people from hearing of it."""
    names = {alert.id: alert.name for alert in state.catalog.alerts()}
    handled = state.handlings.of([each.id for each in found])
    return [
        {
            "alert_name": names.get(each.alert, ""),
            **msgspec.to_builtins(each),
            "is_flapping": FLAPS in muted.get(each.id, ()),
            "muted_by": [*muted.get(each.id, ())],
            "acked_by": handled.get(each.id, UNHANDLED).acked_by,
            "assignee": handled.get(each.id, UNHANDLED).assignee,
            "merged_into": handled.get(each.id, UNHANDLED).merged_into,
        }
        for each in found
    ]


def whole_incident(state: StateStore, name: str) -> dict[str, Any] | None:
    """One of them with its life, who looks after it, and what was said of it."""
    found = state.incidents.one(name)
    if found is None:
        return None
    names = {alert.id: alert.name for alert in state.catalog.alerts()}
    handling = state.handlings.of([name]).get(name, UNHANDLED)
    told: dict[str, Any] = msgspec.to_builtins(found)
    return {
        **told,
        "alert_name": names.get(found.alert, ""),
        "handling": msgspec.structs.asdict(handling),
        "transitions": [
            {**msgspec.to_builtins(each), "says": in_words(each.reason)}
            for each in state.incidents.transitions_of(name)
        ],
        "merged": state.handlings.merged_into(name),
        "remarks": msgspec.to_builtins(state.handlings.remarks_of(name)),
    }


def deed_of(kind: str, asked: Mapping[str, Any], clock: Clock) -> Deed:
    """What somebody wants to do: `by`, `text`, and for how long; raises QueryError."""
    if kind not in get_args(Kind):
        raise QueryError(f"nobody can {kind!r}; one can {', '.join(get_args(Kind))}")
    lasts_s = float(asked.get("for_s", 0))
    if kind == "snooze" and not lasts_s:
        raise QueryError("for_s: until when it is put off has to be said")
    return Deed(
        kind=msgspec.convert(kind, Kind),
        by=str(asked.get("by", ""))[:MOST_TEXT],
        text=str(asked.get("text", ""))[:MOST_TEXT],
        until=clock.now() + round(lasts_s * SECOND) if lasts_s else 0,
        sticky=bool(asked.get("sticky")),
    )


def add_silence(
    muting: Muting, asked: Mapping[str, Any], *, clock: Clock, state: StateStore
) -> dict[str, Any]:
    """Make one: `matchers`, `for_s`, and maybe `in_s`; raises QueryError.

    Of alerts that are not there yet it says so, under `warnings`.
    """
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
    names = [alert.name for alert in state.catalog.alerts() if alert.status == "active"]
    warnings = [*strangers_in(matchers, names)]
    return {**_document(made, now), **({"warnings": warnings} if warnings else {})}


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
