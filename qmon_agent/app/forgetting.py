"""A user is forgotten: in the store, the dead letters, the state and the journal, in this order.

A request is on disk before anything is done, and what is done is written down step by step: after
a kill it goes on where it was, and every step does no harm done twice. It ends when the journal
has no record any more from before the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from qmon_agent.app.journals import STORE
from qmon_agent.app.parts import Parts
from qmon_agent.domain.errors import NotFoundError, QueryError, StoreError

if TYPE_CHECKING:
    from qmon_agent.domain.retention import Hold
    from qmon_agent.store.state.forgettings import Forgetting

AGAIN_S = 5.0
LONGEST_NAME = 1_000
Report = dict[str, Any]


class Forgetter:
    """Does what was asked for, one request after the other, until all are done."""

    def __init__(
        self,
        parts: Parts,
        *,
        checkpoint: Callable[[], Awaitable[None]],
        query: Callable[[str], Awaitable[list[dict[str, Any]]]],
    ) -> None:
        """`checkpoint` moves the rules' place in the journal to where they are."""
        self._parts = parts
        self._checkpoint = checkpoint
        self._query = query
        self._asked = asyncio.Event()

    async def run(self) -> None:
        """For as long as the agent runs; what an agent before has left comes first."""
        await asyncio.to_thread(self._parts.judged.state.settle)
        while True:
            self._asked.clear()
            waiting = await asyncio.to_thread(self._parts.judged.state.forgettings.unfinished)
            for one in waiting:
                await self._advance(one)
            if not waiting:
                await self._asked.wait()
            else:
                await asyncio.sleep(0 if await self._all_done() else AGAIN_S)

    async def begin(self, user: str, *, author: str) -> Report:
        """On disk when this returns; raises QueryError for what is no name."""
        _check(user)
        journal = self._parts.taking.journal
        upto = (await asyncio.to_thread(journal.seal)).record_id
        forgettings = self._parts.judged.state.forgettings
        made = await asyncio.to_thread(forgettings.begin, user, author=author, upto=upto)
        self._asked.set()
        return document_of(made)

    async def look(self, user: str) -> Report:
        """What would be removed, and what would not: nothing is changed."""
        _check(user)
        from qmon_agent.store.telemetry.forgetting import WORDS, counting

        judged = self._parts.judged
        holds = await asyncio.to_thread(judged.state.holds.in_force)
        rows = []
        if (store := self._parts.store) is not None:
            await store.caught_up(self._parts.taking.journal.committed.record_id)
            rows = await self._query(counting(user, holds, words=WORDS[store.dialect]))
        state = await asyncio.to_thread(judged.state.erasing.forget, user, dry_run=True)
        return {
            "store": {
                what: {row["name"]: row[what] for row in rows if row[what]}
                for what in ("removed", "held")
            },
            "state": state,
        }

    async def all(self) -> list[Report]:
        found = await asyncio.to_thread(self._parts.judged.state.forgettings.all)
        return [document_of(each) for each in found]

    async def one(self, name: str) -> Report:
        """Raises NotFoundError."""
        for each in await self.all():
            if each["id"] == name:
                return each
        raise NotFoundError(name)

    async def _all_done(self) -> bool:
        left = await asyncio.to_thread(self._parts.judged.state.forgettings.unfinished)
        return not left

    async def _advance(self, asked: Forgetting) -> None:
        """As far as it goes now; what does not go is tried again later."""
        judged, report = self._parts.judged, dict(asked.report)
        holds = await asyncio.to_thread(judged.state.holds.in_force)
        try:
            if "store" not in report:
                report["store"] = await self._in_store(asked)
                await asyncio.to_thread(judged.state.forgettings.note, asked.id, report)
            if "dead_letters" not in report:
                report["dead_letters"] = await self._in_dead_letters(asked.person, holds)
            if "state" not in report:
                forget = judged.state.erasing.forget
                held = _is_held(asked.person, holds)
                report["state"] = await asyncio.to_thread(forget, asked.person, dry_run=held)
                report["state"] |= {"held": held}
        except (StoreError, OSError) as problem:
            report["waiting"] = str(problem)
        else:
            report["waiting"] = await self._in_journal(asked.upto)
        if report["waiting"]:
            await asyncio.to_thread(judged.state.forgettings.note, asked.id, report)
            return
        report.pop("waiting")
        await asyncio.to_thread(judged.state.forgettings.finish, asked.id, report)
        await asyncio.to_thread(judged.state.settle)

    async def _in_store(self, asked: Forgetting) -> Report:
        if self._parts.store is None:
            return {}
        erased = await self._parts.store.forget(asked.person, upto=asked.upto)
        return dict(msgspec.structs.asdict(erased))

    async def _in_dead_letters(self, user: str, holds: list[Hold]) -> Report:
        if _is_held(user, holds):
            return {"removed": 0, "held": True}
        forget = self._parts.taking.journal.forget_dead_letters
        return {"removed": await asyncio.to_thread(forget, user.encode()), "held": False}

    async def _in_journal(self, upto: int) -> str:
        """Who has still to read what is from before the request; nothing when it is gone."""
        journal = self._parts.taking.journal
        await self._checkpoint()
        if self._parts.store is None:
            return ""  # what waits for a store there is about to be stored, or dropped by its age
        await asyncio.to_thread(journal.trim, seal=True)
        oldest = journal.status().oldest.record_id
        if oldest >= upto:
            return ""
        places = journal.cursors.all()
        late = sorted(name for name, place in places.items() if place.record_id < upto)
        if not late:
            await asyncio.to_thread(journal.seal)
        return f"the journal waits for {', '.join(late) or STORE}"


def document_of(asked: Forgetting) -> Report:
    """A request as it is told about."""
    told = msgspec.structs.asdict(asked)
    told.pop("upto")
    return {**told, "report": dict(asked.report), "finished": bool(asked.finished_at)}


def _check(user: str) -> None:
    if not user.strip() or len(user) > LONGEST_NAME:
        raise QueryError(f"user: a name of 1 to {LONGEST_NAME} characters has to be said")


def _is_held(user: str, holds: list[Hold]) -> bool:
    """Whether a hold may be about what has no rows: letters, messages, remarks."""
    return any(hold.user in {"", user} and not hold.kinds for hold in holds)
