"""The life of an incident: a pure machine from verdicts and time to transitions.

inactive → pending → firing → recovering → inactive, and a flag `unknown` beside it. The durations
mean what Prometheus means by `for` and `keep_firing_for`; unlike there, missing data is *unknown*,
which keeps every state as it is and so never resolves anything, unless the policy says otherwise.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

from .alarms.flapping import EVERYTHING, Tolerance
from .catalog import SEVERITIES
from .votes import SINGLE, Ballot, Verdict, cast, tally

State = Literal["inactive", "pending", "firing", "recovering"]
OnUnknown = Literal["keep", "fire", "resolve"]

ACTIVE: frozenset[State] = frozenset({"firing", "recovering"})
ON_UNKNOWN: tuple[OnUnknown, ...] = ("keep", "fire", "resolve")
FOREVER_NS = 1 << 62
"""Longer than anything is held: with a moment of today it is a moment still."""
RAISED, LOWERED = "severity_raised", "severity_lowered"


def is_worse(reason: str) -> bool:
    """Whether this is the reason of a change, or of a message about it, to a higher severity."""
    return reason.startswith(f"{RAISED}:")


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How long a breach must hold before it fires, and how long it must be gone to resolve."""

    for_ns: int = 0
    keep_firing_ns: int = 0
    on_unknown: OnUnknown = "keep"
    """What becomes of it when nobody has known for `unknown_for_ns`."""
    unknown_for_ns: int = 0
    ballot: Ballot = SINGLE
    flapping: Tolerance = EVERYTHING
    """How often it may change before its changes are no news."""
    severity: str = ""
    """How bad it is where nothing is said of that."""


class Episode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one instance of one alert stands; zero times mean `not yet`."""

    state: State = "inactive"
    since: int = 0
    fired_at: int = 0
    clear_since: int = 0
    unknown: str = ""
    unknown_since: int = 0
    severity: str = ""
    """As it was last told to be; empty: as bad as the alert."""
    marks: str = ""
    """The verdicts that are still to be voted by, where there is a vote."""


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an episode, with a reason a program can read."""

    before: State
    after: State
    reason: str
    at: int


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule says: a verdict, how bad, and why it does not know."""

    verdict: Verdict
    severity: str = ""
    reason: str = "no_data"
    is_vote: bool = True
    """Whether something was measured, not merely looked at again."""


Step = tuple[Episode, tuple[Transition, ...]]
INACTIVE = Episode()


def step(
    episode: Episode, verdict: Verdict, now: int, *, policy: Policy, reason: str = "no_data"
) -> Step:
    """The next episode and what changed; `reason` says why a verdict is unknown."""
    if verdict == "unknown":
        return _doubt(episode, now, policy=policy, reason=reason)
    known, regained = _know(episode, now)
    after, moved = _BY_VERDICT[verdict](known, now, policy)
    return after, regained + moved


def follow(episode: Episode, opinion: Opinion, now: int, *, policy: Policy) -> Step:
    """The same by an opinion, which is put to the vote and may say how bad it is."""
    verdict = opinion.verdict
    if policy.ballot != SINGLE:
        episode, verdict = _vote(episode, opinion, policy.ballot)
    after, moved = step(episode, verdict, now, policy=policy, reason=opinion.reason)
    if verdict != "breach" or opinion.severity == after.severity:
        return after, moved
    graded = replace(after, severity=opinion.severity)
    if episode.state not in ACTIVE:
        return graded, moved
    return graded, moved + _regraded(after, opinion.severity or policy.severity, now, policy=policy)


def close(episode: Episode, now: int, reason: str) -> Step:
    """End the episode whatever its state, because somebody or something decided so."""
    return _become(INACTIVE, before=episode, now=now, reason=reason)


def due_at(episode: Episode, policy: Policy) -> int | None:
    """The moment from which the same verdict as before would change the state."""
    if episode.unknown:
        awaited = _UNSETTLED[policy.on_unknown]
        is_due = episode.state in awaited
        return episode.unknown_since + policy.unknown_for_ns if is_due else None
    if episode.state == "pending":
        return episode.since + policy.for_ns
    if episode.state == "recovering":
        return episode.clear_since + policy.keep_firing_ns
    return None


def _vote(episode: Episode, opinion: Opinion, ballot: Ballot) -> tuple[Episode, Verdict]:
    if not opinion.is_vote:
        silent = opinion.verdict == "unknown" or not episode.marks
        return episode, opinion.verdict if silent else tally(episode.marks, ballot)
    marks = cast(episode.marks, opinion.verdict, ballot)
    return replace(episode, marks=marks), tally(marks, ballot)


def _regraded(
    episode: Episode, severity: str, now: int, *, policy: Policy
) -> tuple[Transition, ...]:
    worse_by = _rank(severity) - _rank(episode.severity or policy.severity)
    if not worse_by:
        return ()
    return _noted(episode, now, f"{RAISED if worse_by > 0 else LOWERED}:{severity}")


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


_UNSETTLED: dict[OnUnknown, frozenset[State]] = {
    "keep": frozenset(),
    "fire": frozenset({"inactive", "pending"}),
    "resolve": frozenset({"pending", "firing", "recovering"}),
}
"""In which states the policy for the unknown still has something to do."""


def _doubt(episode: Episode, now: int, *, policy: Policy, reason: str) -> Step:
    doubted = episode
    noted: tuple[Transition, ...] = ()
    # What was kept by an older agent does not say since when.
    if not episode.unknown_since:
        doubted = replace(doubted, unknown_since=now)
    if episode.unknown != reason:
        doubted = replace(doubted, unknown=reason)
        noted = _noted(episode, now, f"unknown:{reason}")
    if doubted.state not in _UNSETTLED[policy.on_unknown]:
        return doubted, noted
    if now - doubted.unknown_since < policy.unknown_for_ns:
        return doubted, noted
    after, moved = _settle(doubted, now, policy)
    return after, noted + moved


def _settle(episode: Episode, now: int, policy: Policy) -> Step:
    """Do what the policy says when nobody has known for long enough."""
    why = f"unknown_{'fired' if policy.on_unknown == 'fire' else 'resolved'}:{episode.unknown}"
    if policy.on_unknown == "fire":
        since = episode.since or episode.unknown_since
        after = replace(episode, state="firing", since=since, fired_at=now, clear_since=0)
    else:
        after = replace(
            INACTIVE,
            unknown=episode.unknown,
            unknown_since=episode.unknown_since,
            marks=episode.marks,
        )
    return _become(after, before=episode, now=now, reason=why)


def _know(episode: Episode, now: int) -> Step:
    if not episode.unknown:
        return episode, ()
    known = replace(episode, unknown="", unknown_since=0)
    return known, _noted(episode, now, "known")


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
        after = replace(episode, state="firing", since=since, fired_at=now)
        reason = "breach_held" if waited else "breach"
        return _become(after, before=episode, now=now, reason=reason)
    after = replace(episode, state="pending", since=since)
    return _become(after, before=episode, now=now, reason="breach")


def _clear(episode: Episode, now: int, policy: Policy) -> Step:
    over = replace(INACTIVE, marks=episode.marks) if episode.marks else INACTIVE
    if episode.state == "pending":
        return _become(over, before=episode, now=now, reason="cleared_before_firing")
    if episode.state == "inactive":
        return episode, ()
    clear_since = episode.clear_since if episode.state == "recovering" else now
    if now - clear_since >= policy.keep_firing_ns:
        return _become(over, before=episode, now=now, reason="cleared")
    after = replace(episode, state="recovering", clear_since=clear_since)
    return _become(after, before=episode, now=now, reason="clear")


_BY_VERDICT = {"breach": _breach, "clear": _clear}


def _become(after: Episode, *, before: Episode, now: int, reason: str) -> Step:
    if after.state == before.state:
        return after, ()
    moved = Transition(before=before.state, after=after.state, reason=reason, at=now)
    return after, (moved,)
