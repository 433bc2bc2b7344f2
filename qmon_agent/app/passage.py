"""From the journal of arrivals through the processors into the journal everybody reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from qmon_agent.domain.clock import Clock
from qmon_agent.domain.routing import speaker_of
from qmon_agent.ingest.chain import Chain
from qmon_agent.ingest.lots import Lot, Origin
from qmon_agent.ingest.passing import Framer, Made, lots_of
from qmon_agent.journal import Position, Record
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import Frame, decode_frame

_TICK_NS = 250_000_000
_COUNTED = ("came", "went", "added", "dropped", "failures", "nanoseconds")


class Keeps(Protocol):
    """Where frames go. Called from the walk's thread."""

    def seen(self, process: bytes, sequence: int) -> bool: ...

    def keep(self, frames: Sequence[Made]) -> None:
        """Returns when all are on disk, however long that takes."""


class Passage:
    """What a walk over the arrivals does with each record; all but `then` on the walk's thread.

    `passed` is how far everything is through: what a processor still holds is read again from
    there, and comes out under the names it had.
    """

    def __init__(
        self, chain: Chain, *, keeps: Keeps, framer: Framer, clock: Clock, vitals: Vitals
    ) -> None:
        self.chain = chain
        self.passed = Position()
        self._keeps = keeps
        self._framer = framer
        self._clock = clock
        self._vitals = vitals
        self._next: deque[tuple[int, Chain]] = deque()
        self._now = 0
        self._ticked = 0
        self._places: deque[Position] = deque()
        self._counts: dict[tuple[str, str], int] = {}

    def then(self, chain: Chain, *, behind: int) -> None:
        """Records behind this one go through another chain; from any thread."""
        self._next.append((behind, chain))

    @property
    def is_moving(self) -> bool:
        """Whether time makes a difference: something is held, or another chain is to come."""
        return bool(self._next) or self.chain.holds is not None

    def __call__(self, records: Sequence[Record]) -> None:
        made: list[Made] = []
        for record in records:
            while self._next and record.record_id > self._next[0][0]:
                self._keep(made)
                made = []
                self._switch()
            self._let_pass(record.time)
            made += self._tick_if_due()
            made += self._made_of(record)
        self._keep(made)
        self._reached(records[-1].position)

    def tick(self) -> None:
        """Time passes while nothing comes; everything that has come is through."""
        self._let_pass(self._clock.now())
        self._keep([*self._tick_if_due()])
        if self._places:
            self._reached(self._places.pop())
        while self._next and self._is_behind(self._next[0][0]):
            self._switch()

    def finish(self) -> None:
        """Let go of everything that is held."""
        self._keep([*self._framer.apart(self.chain.finish())])
        if self._places:
            self._reached(self._places.pop())

    def _is_behind(self, record_id: int) -> bool:
        return max(self.passed, *self._places).record_id >= record_id

    def _switch(self) -> None:
        self.finish()
        self._count()
        self._counts.clear()
        _, self.chain = self._next.popleft()
        self.chain.prepare()

    def _let_pass(self, now: int) -> None:
        """Time does not go backwards here, whatever the clock does."""
        self._now = max(self._now, now)

    def _tick_if_due(self) -> Sequence[Made]:
        if self._now - self._ticked < _TICK_NS:
            return ()
        self._ticked = self._now
        return [*self._framer.apart(self.chain.tick(self._now))]

    def _made_of(self, record: Record) -> list[Made]:
        try:
            frame = decode_frame(record.payload)
        except WireError as problem:
            # Nobody can read it: the store books it among the dead.
            self._vitals.add("processors_undecodable", reason=problem.reason)
            return [_as_it_is(record)]
        origin = Origin(
            process=record.process,
            sequence=record.sequence,
            record_id=record.record_id,
            time=record.time,
            speaker=speaker_of(frame),
        )
        return self._processed(record, frame, lots_of(frame, origin))

    def _processed(self, record: Record, frame: Frame, lots: list[Lot]) -> list[Made]:
        try:
            passed = self.chain.process(lots)
            made = [*self._framer.frames(record.payload, frame, lots=lots, passed=passed)]
        except Exception as problem:  # noqa: BLE001 - one record must not stop all that follow
            self._vitals.add("processors_failures", error=type(problem).__name__)
            failed = self.chain.fails_closed
            made = [*self._framer.lost(frame, lots)] if failed else [_as_it_is(record)]
        if self._keeps.seen(record.process, record.sequence):
            # Read once more after a crash: only what was held was not through by then.
            made = [one for one in made if one.is_apart]
        return made

    def _keep(self, made: Sequence[Made]) -> None:
        if made:
            self._keeps.keep(made)

    def _reached(self, position: Position) -> None:
        """Remember the place, and say how far everything is through."""
        self._places.append(position)
        holds = self.chain.holds
        while self._places and (holds is None or self._places[0].record_id < holds):
            self.passed = max(self.passed, self._places.popleft())
        if holds is None:
            self._places.clear()
        self._count()

    def _count(self) -> None:
        """What the processors have done since it was counted last."""
        for name, tally in self.chain.tallies.items():
            for what in _COUNTED:
                now = getattr(tally, what)
                grown = now - self._counts.get((name, what), 0)
                if grown:
                    self._counts[name, what] = now
                    self._vitals.add(f"processor_{what}", grown, processor=name)


def _as_it_is(record: Record) -> Made:
    return Made(record.process, record.sequence, record.payload, is_last=True)
