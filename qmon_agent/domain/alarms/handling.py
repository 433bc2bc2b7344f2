"""What people do with an incident: take it on, put it off, give it to somebody."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace


class Handling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who looks after an incident; times in nanoseconds UTC, and zero is `not`."""

    acked_by: str = ""
    acked_at: int = 0
    acked_until: int = 0
    """When the acknowledgement ends by itself; zero: with the incident."""
    is_sticky: bool = False
    """Whether it stays when the incident gets worse or better."""
    snoozed_until: int = 0
    assignee: str = ""
    merged_into: str = ""
    """The incident that is told and handled in its place; empty: none."""

    def is_acked(self, now: int) -> bool:
        """Whether somebody has taken it on; at its end, nobody has any more."""
        return bool(self.acked_at) and (not self.acked_until or now < self.acked_until)

    def is_snoozed(self, now: int) -> bool:
        return now < self.snoozed_until

    def is_quiet(self, now: int) -> bool:
        """Whether repeats and escalation wait."""
        return self.is_acked(now) or self.is_snoozed(now)


UNHANDLED = Handling()


def acknowledge(
    handling: Handling, by: str, now: int, *, until: int = 0, sticky: bool = False
) -> Handling:
    """Somebody takes it on, in place of whoever had; it is put off no longer."""
    return replace(
        handling, acked_by=by, acked_at=now, acked_until=until, is_sticky=sticky, snoozed_until=0
    )


def give_back(handling: Handling) -> Handling:
    """Nobody has taken it on any more; to whom it is given stays."""
    return Handling(assignee=handling.assignee, snoozed_until=handling.snoozed_until)


def snooze(handling: Handling, until: int) -> Handling:
    """Put it off."""
    return replace(handling, snoozed_until=until)


def assign(handling: Handling, to: str) -> Handling:
    """Give it to somebody, or with an empty name to nobody."""
    return replace(handling, assignee=to)


def severity_changed(handling: Handling) -> Handling:
    """It got worse or better: only a sticky acknowledgement stays, and it is its own again."""
    if handling.merged_into:
        return UNHANDLED
    return handling if handling.is_sticky or not handling.acked_at else give_back(handling)


def let_time_pass(handling: Handling, now: int) -> tuple[Handling, tuple[str, ...]]:
    """What has ended by itself, and its name: `ack_expired`, `snooze_ended`."""
    ended: list[str] = []
    if handling.acked_at and not handling.is_acked(now):
        handling = give_back(handling)
        ended.append("ack_expired")
    if handling.snoozed_until and not handling.is_snoozed(now):
        handling = replace(handling, snoozed_until=0)
        ended.append("snooze_ended")
    return handling, tuple(ended)


def next_end(handling: Handling, now: int) -> int | None:
    """When `let_time_pass` has something to end."""
    ends = (handling.acked_until if handling.acked_at else 0, handling.snoozed_until)
    return min((end for end in ends if end > now), default=None)
