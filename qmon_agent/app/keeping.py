"""The journal as the pipeline needs it: submitted on the loop, written and buried on threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from qmon_agent.ingest.pipeline import Kept
from qmon_agent.journal import GroupCommitter, Journal, sort_of
from qmon_agent.vitals import Vitals

# Garbage by the thousand must not become a queue: beyond this it is counted, and not kept.
_BURIALS = 256


class JournalKeeper:
    """Joins the journal, its committer, and a thread for dead letters."""

    def __init__(self, journal: Journal, committer: GroupCommitter, *, vitals: Vitals) -> None:
        self._journal = journal
        self._committer = committer
        self._vitals = vitals
        self._front: tuple[Journal, GroupCommitter] | None = None
        self._is_diverted = False
        self._burials = 0
        self._undertaker = ThreadPoolExecutor(1, thread_name_prefix="qmon-burial")

    def divert(self, journal: Journal, committer: GroupCommitter, *, is_on: bool) -> None:
        """What is submitted from now on goes there first; `is_on=False`: no more of it.

        What is there already is known there, and not taken again.
        """
        self._front = journal, committer
        self._is_diverted = is_on

    def seen(self, process: bytes, sequence: int) -> bool:
        if self._journal.seen(process, sequence):
            return True
        return self._front is not None and self._front[0].seen(process, sequence)

    def is_coming(self, process: bytes, sequence: int) -> bool:
        if self._committer.is_coming(process, sequence):
            return True
        return self._front is not None and self._front[1].is_coming(process, sequence)

    def submit(self, payload: bytes, *, process: bytes, sequence: int) -> asyncio.Future[Kept]:
        committer = self._front[1] if self._front and self._is_diverted else self._committer
        kept: asyncio.Future[Kept] = committer.submit(payload, process, sequence)  # type: ignore[assignment]  # futures are invariant
        return kept

    async def bury(self, payload: bytes, reason: str) -> None:
        self._vitals.add("dead_letters", reason=sort_of(reason))
        if self._burials >= _BURIALS:
            self._vitals.add("dead_letters_not_kept")
            return
        self._burials += 1
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._undertaker, self._journal.bury, payload, reason)
        finally:
            self._burials -= 1

    def close(self) -> None:
        self._undertaker.shutdown(wait=True)
