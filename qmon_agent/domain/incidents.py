"""The life of an incident: a pure machine from verdicts and time to transitions.

inactive → pending → firing → recovering → inactive, and a flag `unknown` beside it. The durations
mean what Prometheus means by `for` and `keep_firing_for`; unlike there, missing data is *unknown*,
which keeps every state as it is and so never resolves anything.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

State = Literal["inactive", "pending", "firing", "recovering"]
Verdict = Literal["breach", "clear", "unknown"]

ACTIVE: frozenset[State] = frozenset({"firing", "recovering"})


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How long a breach must hold before it fires, and how long it must be gone to resolve."""

    for_ns: int = 0
    keep_firing_ns: int = 0


class Episode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one instance of one alert stands; zero times mean `not yet`."""

    state: State = "inactive"
    since: int = 0
    fired_at: int = 0
    clear_since: int = 0
    unknown: str = ""


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an episode, with a reason a program can read."""

    before: State
    after: State
    reason: str
    at: int


Step = tuple[Episode, tuple[Transition, ...]]
INACTIVE = Episode()


def step(
    episode: Episode, verdict: Verdict, now: int, *, policy: Policy, reason: str = "no_data"
) -> Step:
    """The next episode and what changed; `reason` says why a verdict is unknown."""
    if verdict == "unknown":
        return _doubt(episode, now, reason)
    known, regained = _know(episode, now)
    after, moved = _BY_VERDICT[verdict](known, now, policy)
    return after, regained + moved


def close(episode: Episode, now: int, reason: str) -> Step:
    """End the episode whatever its state, because somebody or something decided so."""
    return _become(INACTIVE, before=episode, now=now, reason=reason)


def due_at(episode: Episode, policy: Policy) -> int | None:
    """The moment from which the same verdict as before would change the state."""
    if episode.unknown:
        return None
    if episode.state == "pending":
        return episode.since + policy.for_ns
    if episode.state == "recovering":
        return episode.clear_since + policy.keep_firing_ns
    return None


def _doubt(episode: Episode, now: int, reason: str) -> Step:
    if episode.unknown == reason:
        return episode, ()
    doubted = replace(episode, unknown=reason)
    return doubted, _noted(episode, now, f"unknown:{reason}")


def _know(episode: Episode, now: int) -> Step:
    if not episode.unknown:
        return episode, ()
    return replace(episode, unknown=""), _noted(episode, now, "known")


def _noted(episode: Episode, now: int, reason: str) -> tuple[Transition, ...]:
    if episode.state == "inactive":
        return ()
    return (Transition(before=episode.state, after=episode.state, reason=reason, at=now),)


def _breach(episode: Episode, now: int, policy: Policy) -> Step:
    if episode.state == "firing":
        return episode, ()
    if episode.state == "recovering":
        after = replace(episode, state="firing", clear_since=0)
        return _become(after, before=episode, now=now, reason="breach_returned")
    waited = episode.state == "pending"
    since = episode.since if waited else now
    if now - since >= policy.for_ns:
        after = Episode(state="firing", since=since, fired_at=now)
        reason = "breach_held" if waited else "breach"
        return _become(after, before=episode, now=now, reason=reason)
    return _become(Episode(state="pending", since=since), before=episode, now=now, reason="breach")


def _clear(episode: Episode, now: int, policy: Policy) -> Step:
    if episode.state == "pending":
        return _become(INACTIVE, before=episode, now=now, reason="cleared_before_firing")
    if episode.state == "inactive":
        return episode, ()
    clear_since = episode.clear_since if episode.state == "recovering" else now
    if now - clear_since >= policy.keep_firing_ns:
        return _become(INACTIVE, before=episode, now=now, reason="cleared")
    after = replace(episode, state="recovering", clear_since=clear_since)
    return _become(after, before=episode, now=now, reason="clear")


_BY_VERDICT = {"breach": _breach, "clear": _clear}


def _become(after: Episode, *, before: Episode, now: int, reason: str) -> Step:
    if after.state == before.state:
        return after, ()
    moved = Transition(before=before.state, after=after.state, reason=reason, at=now)
    return after, (moved,)
