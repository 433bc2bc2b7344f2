"""What strangers hear of an incident: that it began, what was said for them, that it is over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from .histories import Remark

Status = Literal["investigating", "identified", "resolved"]
PUBLIC = "comment_public"
"""The kind of a remark that is for everybody."""
_TAKEN: frozenset[str] = frozenset({"ack"})
_GIVEN_BACK = frozenset({"unack", "ack_expired", "ack_ended"})


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was said, and how it stood then."""

    status: Status
    body: str
    at: int


def story(remarks: Iterable[Remark], *, began_at: int, ended_at: int, opening: str) -> list[Update]:
    """In order of time; `ended_at` is zero for what lasts. No name and no other remark is in it."""
    status: Status = "investigating"
    told = [Update(status=status, body=opening, at=began_at)]
    for said in sorted(remarks, key=lambda each: each.at):
        if said.kind in _TAKEN:
            if status != "identified":
                status = "identified"
                told.append(Update(status=status, body="We are working on it.", at=said.at))
        elif said.kind in _GIVEN_BACK:
            status = "investigating"
        elif said.kind == PUBLIC:
            is_over = bool(ended_at) and said.at > ended_at
            told.append(
                Update(status="resolved" if is_over else status, body=said.text, at=said.at)
            )
    if ended_at:
        told.append(Update(status="resolved", body="It is over.", at=ended_at))
    return sorted(told, key=lambda each: each.at)
