"""The journal of arrivals: what is acknowledged waits there for the processors, and leaves at once.

A walk takes it through them into the main journal; its cursor follows what is committed there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any

import msgspec

from qmon_agent.app.journals import hold_back_trimming, open_journal, save_cursor
from qmon_agent.app.parts import Plan, Taking
from qmon_agent.app.passage import Passage
from qmon_agent.app.policies import Policies, Policy, save_policies
from qmon_agent.app.squeezing import within
from qmon_agent.app.walk import Walk
from qmon_agent.domain.errors import QmonError
from qmon_agent.ingest.chain import Chain, Look
from qmon_agent.ingest.declared import Step, make_steps
from qmon_agent.ingest.passing import Framer, Made
from qmon_agent.journal import PATIENCE_S, START, GroupCommitter, JournalReader
from qmon_agent.vitals import Vitals

CURSOR = "processors"
_SEGMENT_BYTES = 8 << 20
_MOVING_S = 0.25
_STILL_S = 1.0
_TRIM_S = 5.0
_PAUSE_S = 0.05


class Arrivals:
    """Built on the running loop; blocks for opening the journal."""

    def __init__(self, plan: Plan, taking: Taking, *, known: Policies, vitals: Vitals) -> None:
        self._plan = plan
        self._vitals = vitals
        section = msgspec.structs.replace(plan.settings.journal, segment_bytes=_SEGMENT_BYTES)
        self.journal = open_journal(
            plan.locations.arrivals,
            section,
            admission=within(plan.settings.admission),
            clock=plan.clock,
        )
        hold_back_trimming(self.journal, CURSOR)
        self.committer = GroupCommitter(self.journal)
        start = self.journal.cursors.load(CURSOR) or START
        self._mouth = _Mouth(taking, vitals)
        self._passage = Passage(
            Chain(()),
            keeps=self._mouth,
            framer=Framer(known.identity),
            clock=plan.clock,
            vitals=vitals,
        )
        self._passage.passed = self._saved = start
        self._policies = known.from_here(start.record_id, self.journal.committed.record_id)
        if self.journal.committed.record_id <= start.record_id:
            self._policies = msgspec.structs.replace(self._policies, waiting=())
        self.walk = Walk(
            self._passage,
            open_reader=lambda position: JournalReader(
                plan.locations.arrivals, position, patience_s=PATIENCE_S
            ),
            start=start,
            vitals=vitals,
            name="processors",
        )
        self._chain = Chain(())
        self._is_wanted = False
        self._look: Look | None = None
        self._trimmed_at = monotonic()
        for behind, steps in _steps_of(self._policies.waiting, vitals):
            self._then(steps, behind=behind)

    def want(self, tables: tuple[dict[str, Any], ...], steps: Sequence[Step]) -> None:
        """For what arrives from now on; nothing at all: what is here still goes as it was to."""
        self._is_wanted = bool(tables)
        if not tables:
            return
        here = self.journal.committed.record_id
        self._policies = self._policies.from_here(self._passage.passed.record_id, here)
        policies = self._policies.then(tables, behind=here)
        if policies is not self._policies:
            self._policies = policies
            self._save_policies()
            self._then(steps, behind=here)

    def start(self) -> None:
        self.committer.on_commit(self.walk.committed)
        self.walk.start(self.journal.committed)

    async def turns(self) -> None:
        """What is done over and over: time passes, the place is saved, what is through goes."""
        while True:
            is_moving = self._passage.is_moving and not self.walk.lag
            await asyncio.sleep(_MOVING_S if is_moving else _STILL_S)
            await self._turn()

    async def drain(self) -> None:
        """Takes nothing more, and lets everything through, as far as nothing is held back."""
        await self.committer.close()
        await self.walk.drain()

    async def stop(self) -> None:
        """What is left is read again by the next start."""
        self._mouth.is_closing = True
        await self.walk.stop()
        await asyncio.to_thread(self._save)

    def look(self, look: Look | None) -> None:
        """Shows what passes at every place of the chain, or no more."""
        self._look = look
        self._chain.look = self._passage.chain.look = look

    @property
    def names(self) -> tuple[str, ...]:
        """The processors, in their order."""
        return tuple(step.name for step in self._chain.steps) if self._is_wanted else ()

    @property
    def held(self) -> dict[str, int]:
        """Signals that each processor keeps until it knows what becomes of them."""
        held = {name: tally.held for name, tally in self._passage.chain.tallies.items()}
        return {name: number for name, number in held.items() if number > 0}

    def describe(self) -> dict[str, Any]:
        """Nothing once they are taken away and all has passed through them."""
        if self._is_over:
            return {}
        chain = self._passage.chain
        return {
            "lag": self.walk.lag,
            "waiting_bytes": self.journal.status().bytes,
            "steps": {
                step.name: {
                    "kind": step.kind,
                    **msgspec.to_builtins(chain.tallies[step.name]),
                    "held": chain.tallies[step.name].held,
                }
                for step in chain.steps
            },
        }

    @property
    def _is_over(self) -> bool:
        return not self._is_wanted and not self._policies.waiting

    def problems(self) -> Iterator[str]:
        for name, tally in self._passage.chain.tallies.items():
            if tally.error and not self._is_over:
                yield f"processor {name}: failed at {tally.failures} lots: {tally.error}"
        if trouble := self.journal.trouble:
            yield f"arrivals: {trouble}"
        if waits := self.walk.waits_for:
            yield f"processors: {waits}"

    def _then(self, steps: Sequence[Step], *, behind: int) -> None:
        self._chain = Chain(steps, look=self._look)
        self._passage.then(self._chain, behind=behind)

    async def _turn(self) -> None:
        if self.walk.has_ended:
            self._vitals.add("processors_restarts")
            self.walk.start(self.journal.committed)
        elif not self.walk.lag:
            if self._passage.is_moving:
                await self.walk.on_thread(self._passage.tick)
            if not self._is_wanted and self._policies.waiting and self.committer.is_idle:
                await self._end()
        if self._passage.passed > self._saved:
            await asyncio.to_thread(self._save)
        if monotonic() - self._trimmed_at >= _TRIM_S:
            self._trimmed_at = monotonic()
            await asyncio.to_thread(self._trim)

    async def _end(self) -> None:
        """Nothing comes here any more: what is held is let go, and nobody asks for us again."""
        await self.walk.on_thread(self._passage.finish)
        await asyncio.to_thread(self._save)
        self._policies = msgspec.structs.replace(self._policies, waiting=())
        await asyncio.to_thread(self._save_policies)

    def _save_policies(self) -> None:
        """A disk that does not take them is no reason not to go on: they matter after a crash."""
        try:
            save_policies(self._policies, self._plan.locations.policies)
        except OSError:
            self._vitals.add("processors_policy_failures")

    def _save(self) -> None:
        passed = self._passage.passed
        if passed > self._saved and save_cursor(self.journal, CURSOR, passed):
            self._saved = passed

    def _trim(self) -> None:
        trimmed = self.journal.trim(seal=True)
        for reader, records in trimmed.lost.items():
            self._vitals.add("journal_records_lost", records, reader=reader)
        self._vitals.gauge("arrivals_bytes", self.journal.status().bytes)


class _Mouth:
    """Where frames go into the main journal; its keeping is waited for on the walk's thread."""

    def __init__(self, taking: Taking, vitals: Vitals) -> None:
        self.is_closing = False
        self._taking = taking
        self._vitals = vitals
        self._loop = asyncio.get_running_loop()

    def seen(self, process: bytes, sequence: int) -> bool:
        return self._taking.journal.seen(process, sequence)

    def keep(self, frames: Sequence[Made]) -> None:
        asyncio.run_coroutine_threadsafe(self._keep(frames), self._loop).result()

    async def _keep(self, frames: Sequence[Made]) -> None:
        for is_last in (False, True):
            if wave := deque(each for each in frames if each.is_last is is_last):
                await self._keep_wave(wave)

    async def _keep_wave(self, wave: deque[Made]) -> None:
        """A journal that is full or in trouble is waited for: what came is safe where it is."""
        submit = self._taking.committer.submit
        while wave:
            if self.is_closing:
                raise _StoppingError
            answers = [submit(each.payload, each.process, each.sequence) for each in wave]
            kept = await asyncio.gather(*answers)
            wave = deque(
                each for each, answer in zip(wave, kept, strict=True) if not answer.is_kept
            )
            repeated = sum(answer.outcome == "duplicate" for answer in kept)
            self._vitals.add("processors_repeated_frames", repeated)
            if wave:
                self._vitals.add("processors_waits")
                await asyncio.sleep(_PAUSE_S)


class _StoppingError(Exception):
    """The agent stops before the journal has taken it."""


def _steps_of(policies: Sequence[Policy], vitals: Vitals) -> Iterator[tuple[int, tuple[Step, ...]]]:
    """What waits goes through what it came for; where that is known no more, through the next."""
    behind = -1
    for policy in policies:
        try:
            steps = make_steps(policy.processors)
        except QmonError:
            vitals.add("processors_policies_unknown")
            continue
        yield behind, steps
        behind = policy.behind
