"""An incident that flaps is kept open until it is steady: nobody hears of each change."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from .alarms.flapping import Flaps, look, steady_at
from .incidents import ACTIVE, FOREVER_NS, Episode, Policy, Transition, due_at

FLAPPING, STEADY = "flapping", "steady"
HELD = "flapping:"
"""What the reasons of changes begin with that would have been an end, and a beginning after it."""


def calmed(flaps: Flaps, now: int, *, policy: Policy) -> tuple[Flaps, Policy]:
    """How it stands now, and how its incident lives: while it flaps, it does not end."""
    if not flaps.is_flapping:
        return flaps, policy
    after = look(flaps, now, by=policy.flapping)
    return after, replace(policy, keep_firing_ns=FOREVER_NS) if after.is_flapping else policy


def shaken(
    flaps: Flaps, moved: tuple[Transition, ...], now: int, *, policy: Policy, was: bool
) -> tuple[Flaps, tuple[Transition, ...]]:
    """After a step, with what changed as it is to be written; `was`: whether it flapped before."""
    changed = any(_is_change(each, was=was) for each in moved)
    after = look(flaps, now, by=policy.flapping, changed=changed)
    fires = not moved or moved[-1].after in ACTIVE
    begins = any(each.after in ACTIVE and each.before not in ACTIVE for each in moved)
    stays = flaps.is_flapping or begins
    after = replace(after, is_flapping=after.is_flapping and fires and stays)
    return after, (*_noted(moved, after, was=was),)


def calm_at(flaps: Flaps, episode: Episode, *, policy: Policy) -> int | None:
    """When time alone would change something."""
    if not flaps.is_flapping:
        return due_at(episode, policy)
    moments = [steady_at(flaps, by=policy.flapping)]
    if episode.state != "recovering" or episode.unknown:
        moments.append(due_at(episode, policy))
    return min((each for each in moments if each is not None), default=None)


def _is_change(moved: Transition, *, was: bool) -> bool:
    if was:
        # That it was gone has counted when it was held; that it is over then is no news.
        return (moved.before == "firing") is not (moved.after == "firing")
    return (moved.before in ACTIVE) is not (moved.after in ACTIVE)


def _noted(moved: tuple[Transition, ...], flaps: Flaps, *, was: bool) -> Iterator[Transition]:
    for each in moved:
        is_held = was and flaps.is_flapping and {each.before, each.after} == ACTIVE
        yield replace(each, reason=f"{HELD}{each.reason}") if is_held else each
    if moved and flaps.is_flapping and not was:
        last = moved[-1]
        yield replace(last, before=last.after, reason=FLAPPING)


def calmed_down(episode: Episode, now: int) -> Transition:
    """That it flaps no more, of an incident that is open."""
    return Transition(before=episode.state, after=episode.state, reason=STEADY, at=now)
