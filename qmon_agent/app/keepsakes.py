"""What is kept whatever the bounds say, as its routes see it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from qmon_agent.app.forgetting import Forgetter
from qmon_agent.app.parts import Parts
from qmon_agent.domain.clock import Clock
from qmon_agent.domain.durations import DURATION, parse_duration
from qmon_agent.domain.errors import QueryError, StoreError, hint, nearest_to
from qmon_agent.domain.retention import FOR_EVER, Hold
from qmon_sdk.protocol.signals import SIGNALS

_MOST_TEXT = 1_000
_NS = 10**9
_FIRST, _LAST = -(2**63) // _NS + 1, 2**63 // _NS - 1


class AgentKeeping:
    """Fits the agent to the port of these routes; the store hears of every change."""

    def __init__(self, parts: Parts, clock: Clock) -> None:
        self.forgetter: Forgetter | None = None
        self._parts = parts
        self._now = clock.now
        self._one_at_a_time = asyncio.Lock()

    async def tell_store(self) -> None:
        """What is held now, before anything may be given up."""
        if self._parts.store is not None:
            held = await asyncio.to_thread(self._parts.judged.state.holds.in_force)
            await self._parts.store.hold(held)

    async def holds(self, *, removed: bool = False) -> list[dict[str, Any]]:
        holds = self._parts.judged.state.holds
        found = await asyncio.to_thread(holds.all if removed else holds.in_force)
        return [_document(hold) for hold in found]

    async def add_hold(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        wanted = hold_of(asked, now=self._now())
        async with self._one_at_a_time:
            made = await asyncio.to_thread(self._parts.judged.state.holds.add, wanted)
            await self.tell_store()
        return _document(made)

    async def remove_hold(self, hold: str, *, author: str) -> dict[str, Any] | None:
        remove = self._parts.judged.state.holds.remove
        async with self._one_at_a_time:
            ended = await asyncio.to_thread(remove, hold, author=author.strip()[:_MOST_TEXT])
            await self.tell_store()
        return None if ended is None else _document(ended)

    async def would_forget(self, user: str) -> dict[str, Any]:
        return await self._forgetter.look(user)

    async def forget(self, user: str, *, author: str) -> dict[str, Any]:
        return await self._forgetter.begin(user, author=author)

    async def forgettings(self) -> list[dict[str, Any]]:
        return await self._forgetter.all()

    async def forgetting(self, request: str) -> dict[str, Any]:
        return await self._forgetter.one(request)

    @property
    def _forgetter(self) -> Forgetter:
        if self.forgetter is None:
            raise StoreError("the agent is just starting")
        return self.forgetter


def hold_of(asked: Mapping[str, Any], *, now: int) -> Hold:
    """What somebody asks to be held; raises QueryError that names the field."""
    for kind in asked.get("kinds", ()):
        if kind not in SIGNALS:
            there = f"; there are {', '.join(SIGNALS)}"
            reason = f"no kind {kind!r}{hint(nearest_to(kind, SIGNALS)) or there}"
            raise QueryError.about("kinds", reason)
    service, user, reason = (_word(asked, name) for name in ("service", "user", "reason"))
    if not reason:
        raise QueryError.about("reason", "why it is held has to be said")
    since = _moment("since", asked.get("since", ""), 0, now=now)
    until = _moment("until", asked.get("until", ""), FOR_EVER, now=now)
    if since >= until:
        raise QueryError.about("until", "has to be behind `since`")
    return Hold(
        id="",
        kinds=tuple(asked.get("kinds", ())),
        service=service,
        user=user,
        since=since,
        until=until,
        reason=reason,
        author=_word(asked, "author"),
    )


def _word(asked: Mapping[str, Any], name: str) -> str:
    return str(asked.get(name, "")).strip()[:_MOST_TEXT]


def _moment(name: str, said: str, usual: int, *, now: int) -> int:
    """A day, a time, or how long ago it is."""
    if not said:
        return usual
    if re.fullmatch(DURATION, said):
        return now - parse_duration(said)
    try:
        read = datetime.fromisoformat(said)
    except ValueError:
        reason = f"{said!r} is no date and no time (write 2026-11-27, 2026-11-27T09:30:00Z or 2h)"
        raise QueryError.about(name, reason) from None
    seconds = int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
    return min(max(seconds, _FIRST), _LAST) * _NS


def _document(hold: Hold) -> dict[str, Any]:
    told = msgspec.structs.asdict(hold)
    ended = hold.removed_at or None
    return {**told, "until": None if hold.until == FOR_EVER else hold.until, "removed_at": ended}
