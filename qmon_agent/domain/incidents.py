"""The life of an incident: a pure machine from verdicts and time to transitions.

inactive → pending → firing → recovering → inactive, and a flag `unknown` beside it. The durations
mean what Prometheus means by `for` and `keep_firing_for`; unlike there, missing data is *unknown*,
which keeps every state as it is and so never resolves anything.
"""

from __future__ import annotations

from typing import Literal

import msgspec

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
    return _move(episode, "inactive", now, reason) if episode.state != "inactive" else (episode, ())


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
    doubted = msgspec.structs.replace(episode, unknown=reason)
    return doubted, _noted(episode, now, f"unknown:{reason}")


def _know(episode: Episode, now: int) -> Step:
    if not episode.unknown:
        return episode, ()
    return msgspec.structs.replace(episode, unknown=""), _noted(episode, now, "known")


def _noted(episode: Episode, now: int, reason: str) -> tuple[Transition, ...]:
    if episode.state == "inactive":
        return ()
    return (Transition(before=episode.state, after=episode.state, reason=reason, at=now),)


def _breach(episode: Episode, now: int, policy: Policy) -> Step:
    if episode.state == "firing":
        return episode, ()
    if episode.state == "recovering":
        return _move(episode, "firing", now, "breach_returned")
    pending = episode.state == "pending"
    since = episode.since if pending else now
    if now - since >= policy.for_ns:
        return _move(episode, "firing", now, "breach_held" if pending else "breach", since=since)
    return (episode, ()) if pending else _move(episode, "pending", now, "breach", since=now)


def _clear(episode: Episode, now: int, policy: Policy) -> Step:
    if episode.state == "inactive":
        return episode, ()
    if episode.state == "pending":
        return _move(episode, "inactive", now, "cleared_before_firing")
    clear_since = episode.clear_since if episode.state == "recovering" else now
    if now - clear_since >= policy.keep_firing_ns:
        return _move(episode, "inactive", now, "cleared")
    return (episode, ()) if episode.state == "recovering" else _move(episode, "recovering", now, "clear")


_BY_VERDICT = {"breach": _breach, "clear": _clear}


def _move(episode: Episode, after: State, now: int, reason: str, since: int = 0) -> Step:
    moved = Transition(before=episode.state, after=after, reason=reason, at=now)
    return _ARRIVE[after](episode, now, since), (moved,)


def _to_firing(episode: Episode, now: int, since: int) -> Episode:
    return msgspec.structs.replace(
        episode,
        state="firing",
        since=episode.since or since,
        fired_at=episode.fired_at or now,
        clear_since=0,
    )


_ARRIVE = {
    "inactive": lambda _episode, _now, _since: INACTIVE,
    "pending": lambda _episode, _now, since: Episode(state="pending", since=since),
    "firing": _to_firing,
    "recovering": lambda episode, now, _since: msgspec.structs.replace(
        episode, state="recovering", clear_since=now
    ),
}
