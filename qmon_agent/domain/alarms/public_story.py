"""What strangers hear of an incident: that it began, what was said for them, that it is over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from .histories import Remark

Status = Literal["investigating", "identified", "resolved"]
PUBLIC = "comment_public"
"""The kind of a remark that is for everybody."""
_TAKEN: frozenset[str] = frozenset({"ack"})
_OVER_BEFORE, _RETURNED = "_anew", "_returned"
_GIVEN_BACK = frozenset({"unack", "ack_expired", "ack_ended", _OVER_BEFORE})


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was said, and how it stood then."""

    status: Status
    body: str
    at: int


def story(
    remarks: Iterable[Remark],
    *,
    began_at: int,
    ended_at: int,
    opening: str,
    returns: Sequence[int] = (),
    anew: Iterable[int] = (),
) -> list[Update]:
    """In order of time; `ended_at` is zero for what lasts. No name and no other remark is in it.

    How often it came back is told once, with the last time; `anew` are those when it had been over.
    """
    status: Status = "investigating"
    told = [Update(status=status, body=opening, at=began_at)]
    again = [Remark(kind=_OVER_BEFORE, at=at) for at in anew]
    again += [Remark(kind=_RETURNED, at=at) for at in returns[-1:]]
    for said in sorted((*again, *remarks), key=lambda each: each.at):
        if said.kind in _TAKEN:
            if status != "identified":
                status = "identified"
                told.append(Update(status=status, body="We are working on it.", at=said.at))
        elif said.kind in _GIVEN_BACK:
            status = "investigating"
        elif said.kind == _RETURNED:
            told.append(Update(status=status, body=_how_often(len(returns)), at=said.at))
        elif said.kind == PUBLIC:
            is_over = bool(ended_at) and said.at > ended_at
            told.append(
                Update(status="resolved" if is_over else status, body=said.text, at=said.at)
            )
    if ended_at:
        told.append(Update(status="resolved", body="It is over.", at=ended_at))
    return sorted(told, key=lambda each: each.at)


def _how_often(returns: int) -> str:
    return "It has come back." if returns == 1 else f"It has come back {returns} times."
