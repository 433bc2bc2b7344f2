"""The storm brake: when more begins than anybody can read, it is said once, and summed up later."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace


class Brake(msgspec.Struct, frozen=True, kw_only=True):
    """More than `most` that begin within `within_ns` are a storm; `most` 0: there is no brake."""

    most: int = 0
    within_ns: int = 0


class Storm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What began lately, and what is held since too much did."""

    began: tuple[int, ...] = ()
    """The moments, the oldest first; at most one more than the brake allows."""
    since: int = 0
    """Zero: there is none."""
    held: tuple[str, ...] = ()


class Braked(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of what has begun, or of time going by."""

    storm: Storm
    let_through: tuple[str, ...] = ()
    announced: bool = False
    """Whether it is to be said now that there is a storm."""
    summary: tuple[str, ...] = ()
    """All that was held, when the storm is over."""


def brake(storm: Storm, began: Sequence[str], now: int, *, by: Brake) -> Braked:
    """After some have begun, or none; the storm is over when it has been calm for `within_ns`."""
    if not by.most:
        return Braked(storm=Storm(), let_through=tuple(began), summary=storm.held)
    recent = tuple(at for at in storm.began if now - at < by.within_ns)
    if storm.since and not recent and not began:
        return Braked(storm=Storm(), summary=storm.held)
    room = 0 if storm.since else max(by.most - len(recent), 0)
    passed, held = tuple(began[:room]), tuple(began[room:])
    moments = (*recent, *(now for _ in began))[-by.most - 1 :]
    after = replace(storm, began=moments, held=storm.held + held)
    breaks_out = bool(held) and not storm.since
    if breaks_out:
        after = replace(after, since=now)
    return Braked(storm=after, let_through=passed, announced=breaks_out)
