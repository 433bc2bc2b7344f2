"""Funnels: of those who took the first step, how many took all of them in order and in time.

Of each user the steps are kept as they happened, so that what comes late or in another order
counts all the same. A user counts once in a window, by any entry in it; the best of them decides.
An entry counts when its time is over, whether it has led to the end or not: who still has time is
no failure, and to count the fast ones already would flatter.

Only so many users are kept. Where there are more, it is those with the smallest marks (`distinct`):
a fair sample, as a mark says nothing about a user.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt

import msgspec

Seen = Sequence[int]
"""When something happened, and which steps it is, as bits."""
Users = Mapping[str, Sequence[Seen]]
Told = tuple[int, int, int]
"""The mark of a user, when it happened, and which steps it is."""

MOST_USERS = 2_000
MOST_SEEN = 32
"""Of a user."""
EVERYBODY = 1 << 48
SURE = 2.58
"""Standard errors: chance alone goes farther in one of 200 cases."""


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """Users and what they did; those whose marks are below the limit."""

    users: dict[str, list[list[int]]] = {}
    limit: int = EVERYBODY

    @property
    def is_sample(self) -> bool:
        return self.limit < EVERYBODY


class Figure(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How many entered, and how many of them came to the end."""

    entered: int = 0
    converted: int = 0

    @property
    def share(self) -> float:
        return self.converted / self.entered if self.entered else 0.0


def joined(crowd: Crowd, told: Iterable[Told], *, steps: int) -> Crowd:
    """The crowd after more has happened; the newest of a user, and a fair sample of users."""
    users, limit = dict(crowd.users), crowd.limit
    for mark, at, bits in told:
        if mark < limit:
            name = f"{mark:012x}"
            users[name] = _with(users.get(name, []), [at, bits], steps)
    if len(users) > MOST_USERS:
        kept = sorted(users)[: MOST_USERS * 3 // 4]
        limit = int(kept[-1], 16) + 1
        users = {name: users[name] for name in kept}
    return Crowd(users=users, limit=limit)


def _with(seen: list[list[int]], one: list[int], steps: int) -> list[list[int]]:
    # Step by step where two happened at the same time: they cannot be told apart.
    after = sorted([*seen, one])
    run = after[-steps - 1 :]
    if len(run) > steps and not one[1] & 1 and all(bits == one[1] for _, bits in run):
        after.pop()  # the same step again and again leads nowhere
    return after[-MOST_SEEN:]


def since(crowd: Crowd, moment: int) -> Crowd:
    """Without what happened up to a moment; with few left, more users are let in from now on."""
    users = {}
    for name, seen in crowd.users.items():
        kept = [one for one in seen if one[0] > moment]
        if kept:
            users[name] = kept
    is_small = crowd.is_sample and len(users) < MOST_USERS // 4
    return Crowd(users=users, limit=min(crowd.limit * 2, EVERYBODY) if is_small else crowd.limit)


def figure(users: Users, entries: tuple[int, int], *, steps: int, within_ns: int) -> Figure:
    """Of those who entered behind the one moment and up to the other; all they did is known."""
    entered = converted = 0
    for seen in users.values():
        at = [n for n, (time, bits) in enumerate(seen) if bits & 1 and _is_in(time, entries)]
        entered += bool(at)
        converted += any(_ends(seen[n:], steps, within_ns) for n in at)
    return Figure(entered=entered, converted=converted)


def _is_in(time: int, span: tuple[int, int]) -> bool:
    return span[0] < time <= span[1]


def _ends(seen: Sequence[Seen], steps: int, within_ns: int) -> bool:
    """Whether the first of them leads to the last step; each step is taken as soon as it can be."""
    last, taken = seen[0][0] + within_ns, 1
    for time, bits in seen[1:]:
        if time > last or taken == steps:
            break
        taken += bits >> taken & 1
    return taken == steps


def is_surely_lower(one: Figure, other: Figure) -> bool:
    """Whether a share is lower by more than chance, by the test of two proportions."""
    both = one.entered + other.entered
    if not one.entered or not other.entered:
        return False
    pooled = (one.converted + other.converted) / both
    error = sqrt(pooled * (1 - pooled) * (1 / one.entered + 1 / other.entered))
    return other.share - one.share > SURE * error
