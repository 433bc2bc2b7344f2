"""One evaluation: a rule's verdict on one instance, and the step of its incident that follows."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from qmon_agent.domain.alarms.flapping import STEADY, Flaps
from qmon_agent.domain.incidents import ACTIVE, Episode, Opinion, Policy, Transition, follow
from qmon_agent.domain.steadiness import calm_at, calmed, calmed_down, shaken

from .rules import Fact, Found, Judgement, Rule


class Cell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All there is to know of one instance of one alert; what a restart brings back."""

    episode: Episode = Episode()
    memory: Mapping[str, Any] = {}
    incident: str = ""
    episodes: int = 0
    labels: Mapping[str, str] = {}
    severity: str = ""
    """As it was told; empty: as bad as the alert."""
    value: float | None = None
    event_time: int = 0
    flaps: Flaps = STEADY
    """How often it changed lately."""
    text: str = ""
    is_dealt_with: bool = False
    """Whether somebody has ended what it had, and nothing was seen since."""
    told: tuple[str, ...] = ()
    """The channels that heard that it fires, and are to hear that it is over."""


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """The cell after it, what changed, and when time alone could change more."""

    cell: Cell
    transitions: tuple[Transition, ...]
    wake: int | None
    failed: str = ""
    found: tuple[Found, ...] = ()


def evaluate(
    cell: Cell, fact: Fact | None, now: int, *, rule: Rule, policy: Policy, name: str
) -> Evaluated:
    """Judge and step; `name` is the alert's and the instance's, of which incidents get their id."""
    judged, failed = _judge(rule, cell.memory, fact=fact, now=now)
    severity = judged.severity or (fact.severity if fact else cell.severity)
    opinion = Opinion(
        verdict=judged.verdict,
        severity=severity,
        reason=judged.reason,
        is_vote=fact is not None,
    )
    # Nothing new was seen: what somebody has ended does not begin again by being looked at.
    is_held = cell.is_dealt_with and judged.verdict == "breach" and not judged.found
    episode, flaps, transitions = _stepped(cell, None if is_held else opinion, now, policy=policy)
    began = bool(transitions) and transitions[0].before == "inactive"
    episodes = cell.episodes + began
    after = Cell(
        episode=episode,
        memory=judged.memory,
        incident=incident_id(name, now, episodes) if began else cell.incident,
        episodes=episodes,
        labels=fact.labels if fact else cell.labels,
        severity=severity or (cell.severity if judged.verdict != "breach" else ""),
        value=_value(judged, fact, cell),
        event_time=_event_time(fact, now) if began else cell.event_time,
        flaps=flaps,
        text=judged.text or (fact.text if fact else "") or cell.text,
        told=() if began else cell.told,
        is_dealt_with=is_held or (cell.is_dealt_with and judged.verdict == "unknown"),
    )
    wake, due = judged.wake, calm_at(flaps, episode, policy=policy)
    if due is not None and (wake is None or due < wake):
        wake = due
    return Evaluated(
        cell=after, transitions=transitions, wake=wake, failed=failed, found=judged.found
    )


def _stepped(
    cell: Cell, opinion: Opinion | None, now: int, *, policy: Policy
) -> tuple[Episode, Flaps, tuple[Transition, ...]]:
    before, was = _graded(cell), cell.flaps.is_flapping
    flaps, lived = calmed(cell.flaps, now, policy=policy)
    noted: tuple[Transition, ...] = ()
    if was and not flaps.is_flapping and before.state in ACTIVE:
        noted = (calmed_down(before, now),)
    if opinion is None:
        return before, flaps, noted
    episode, moved = follow(before, opinion, now, policy=lived)
    if moved:
        flaps, moved = shaken(flaps, moved, now, policy=policy, was=was)
    return episode, flaps, noted + moved


def _graded(cell: Cell) -> Episode:
    """The episode as it stands; an older agent kept how bad it is beside it only."""
    episode = cell.episode
    if episode.severity == cell.severity or episode.state == "inactive":
        return episode
    return msgspec.structs.replace(episode, severity=cell.severity)


def _value(judged: Judgement, fact: Fact | None, cell: Cell) -> float | None:
    """What a rule has worked out, or else what it was told."""
    if judged.value is not None:
        return judged.value
    return fact.value if fact else cell.value


def _event_time(fact: Fact | None, now: int) -> int:
    # The event a message is about is the one that began the breach, not the latest.
    return fact.event_time if fact else now


def _judge(
    rule: Rule, memory: Mapping[str, Any], *, fact: Fact | None, now: int
) -> tuple[Judgement, str]:
    try:
        return rule.judge(memory, fact, now), ""
    except Exception as error:  # noqa: BLE001 - a rule that fails must leave every other one alone
        doubt = Judgement(verdict="unknown", memory=memory, reason="error")
        return doubt, f"{type(error).__name__}: {error}"


def incident_id(name: str, began: int, episode: int) -> str:
    """The same after any replay, as all it is made of comes from the journal."""
    return sha256(f"{name}\0{began}\0{episode}".encode()).hexdigest()[:16]
