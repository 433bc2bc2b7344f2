"""The processors in their order: what comes of a lot, what fell by the way, who took how long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import perf_counter_ns

import msgspec

from .declared import Step
from .lots import Lot, Origin
from .processors import THE_END, PreparedProcessor

Look = Callable[[str, Sequence[Lot]], None]
"""Shown what is at a place of the chain."""
BEFORE = "before"
"""The place before the first processor; the others are called by the processor before them."""


class Fallen(msgspec.Struct, frozen=True, kw_only=True):
    """Signals that a processor dropped: whose they were, and by which."""

    origin: Origin
    name: bytes
    kind: str
    by: str
    number: int


class Passed(msgspec.Struct, frozen=True):
    """What is to be kept, and what is to be told of the rest."""

    lots: list[Lot]
    fallen: list[Fallen]


class Tally(msgspec.Struct):
    """What one processor has done so far, in signals."""

    came: int = 0
    """Signals that it was shown."""
    went: int = 0
    """Signals that came out of it, those that it added included."""
    added: int = 0
    """Signals that it made."""
    dropped: int = 0
    failures: int = 0
    """Lots at which it raised."""
    nanoseconds: int = 0
    error: str = ""
    """What it raised last."""

    @property
    def held(self) -> int:
        """Signals that are in it still."""
        return self.came + self.added - self.went - self.dropped


class Chain:
    """One policy, from the first processor to the last. Used from one thread at a time."""

    def __init__(self, steps: Sequence[Step], *, look: Look | None = None) -> None:
        """`look` is shown every lot at every place; `None` while nobody does."""
        self.steps = tuple(steps)
        self.tallies = {step.name: Tally() for step in steps}
        self.look = look
        self.fails_closed = any(step.fails_closed for step in steps)
        self._holders = [(n, step) for n, step in enumerate(steps) if step.holding is not None]

    def prepare(self) -> None:
        """Whatever a processor has to find out before the first lot comes; it may take a while."""
        for step in self.steps:
            if isinstance(step.processor, PreparedProcessor):
                try:
                    step.processor.prepare()
                except Exception as problem:  # noqa: BLE001 - it does without, then
                    self.tallies[step.name].error = f"{type(problem).__name__}: {problem}"

    @property
    def holds(self) -> int | None:
        """The oldest record of which something is held."""
        held = (step.holding.holds for _, step in self._holders if step.holding is not None)
        return min((oldest for oldest in held if oldest is not None), default=None)

    def process(self, lots: Sequence[Lot]) -> Passed:
        """All that one record is made of."""
        if self.look is not None:
            self.look(BEFORE, lots)
        return self._from(0, lots)

    def tick(self, now: int) -> Passed:
        """What is due; each goes on behind the processor that held it."""
        passed = Passed([], [])
        for number, step in self._holders:
            due = self._due(step, now, passed.fallen)
            if due:
                self._seen(step, due)
                further = self._from(number + 1, due)
                passed.lots.extend(further.lots)
                passed.fallen.extend(further.fallen)
        return passed

    def finish(self) -> Passed:
        """Everything that is held, in its order: nothing comes behind it."""
        return self.tick(THE_END)

    def _from(self, first: int, lots: Sequence[Lot]) -> Passed:
        passed = Passed([*lots], [])
        for step in self.steps[first:]:
            now_there: list[Lot] = []
            for lot in passed.lots:
                self._through(step, lot, Passed(now_there, passed.fallen))
            passed.lots[:] = now_there
            self._seen(step, now_there)
        return passed

    def _seen(self, step: Step, lots: Sequence[Lot]) -> None:
        if self.look is not None:
            self.look(step.name, lots)

    def _through(self, step: Step, lot: Lot, passed: Passed) -> None:
        """One lot through one processor, or past it."""
        if lot.kind not in step.processor.kinds:
            passed.lots.append(lot)
            return
        try:
            ours, others = _split(step, lot)
        except Exception as problem:  # noqa: BLE001 - a block may contradict itself in many ways
            self._failed(step, lot, passed, problem=problem)
            return
        if ours is None:
            passed.lots.append(lot)
            return
        before = len(passed.lots)
        self._apply(step, ours, passed)
        if others is not None:
            _join(others, passed.lots, before)

    def _apply(self, step: Step, lot: Lot, passed: Passed) -> None:
        tally = self.tallies[step.name]
        begun = perf_counter_ns()
        try:
            made = [*step.processor.process(lot)]
        except Exception as problem:  # noqa: BLE001 - a processor may raise anything; the others go on
            self._failed(step, lot, passed, problem=problem)
            return
        finally:
            tally.nanoseconds += perf_counter_ns() - begun
        tally.came += lot.rows
        if lot.origin.process:
            made = [_signed(step, each) for each in made]
            tally.added += _added(made)
        self._settle(step, made, passed)

    def _due(self, step: Step, now: int, fallen: list[Fallen]) -> list[Lot]:
        tally = self.tallies[step.name]
        begun = perf_counter_ns()
        passed = Passed([], fallen)
        try:
            made = [*step.holding.tick(now)] if step.holding is not None else []
        except Exception as problem:  # noqa: BLE001 - the next tick may do better
            tally.failures += 1
            tally.error = f"{type(problem).__name__}: {problem}"
            return []
        finally:
            tally.nanoseconds += perf_counter_ns() - begun
        made = [_signed(step, each) for each in made]
        tally.added += _added(made)
        self._settle(step, made, passed)
        return passed.lots

    def _settle(self, step: Step, made: Iterable[Lot], passed: Passed) -> None:
        """Count what came out of a processor, and note what did not."""
        tally = self.tallies[step.name]
        for lot in made:
            tally.went += lot.rows
            if lot.dropped:
                tally.dropped += lot.dropped
                passed.fallen.append(_fallen(step, lot, lot.dropped))
                lot = lot.settled()  # noqa: PLW2901 - the same lot, its loss written down
            if lot.rows:
                passed.lots.append(lot)

    def _failed(self, step: Step, lot: Lot, passed: Passed, *, problem: Exception) -> None:
        tally = self.tallies[step.name]
        tally.failures += 1
        tally.error = f"{type(problem).__name__}: {problem}"
        tally.came += lot.rows
        if step.fails_closed:
            tally.dropped += lot.rows
            passed.fallen.append(_fallen(step, lot, lot.rows))
        else:
            tally.went += lot.rows
            passed.lots.append(lot)


def _signed(step: Step, lot: Lot) -> Lot:
    """What a processor made of its own has its name before that of what it is made of."""
    return lot if lot.origin.process else lot.called(step.name.encode() + b"/" + lot.name)


def _added(made: Iterable[Lot]) -> int:
    return sum(lot.rows for lot in made if not lot.origin.process)


def _fallen(step: Step, lot: Lot, number: int) -> Fallen:
    return Fallen(origin=lot.origin, name=lot.name, kind=lot.kind, by=step.name, number=number)


def _split(step: Step, lot: Lot) -> tuple[Lot | None, Lot | None]:
    """What a processor is about, and what it is not; most often all is one of them."""
    verdict = True if step.matcher is None else step.matcher.of(lot.resource, lot.kind)
    if isinstance(verdict, bool):
        return (lot, None) if verdict else (None, lot)
    fits = [*map(verdict, lot.signals)]
    if False not in fits:
        return lot, None
    if True not in fits:
        return None, lot
    pairs = [*zip(fits, lot.signals, strict=True)]
    ours = [signal for fit, signal in pairs if fit]
    others = [signal for fit, signal in pairs if not fit]
    return lot.part(ours), lot.part(others)


def _join(others: Lot, lots: list[Lot], start: int) -> None:
    """Those that passed by go with those that did not, where nothing else tells them apart."""
    if len(lots) == start + 1:
        last = lots[start]
        if (last.resource, last.routes, last.name) == (
            others.resource,
            others.routes,
            others.name,
        ) and last.origin is others.origin:
            lots[start] = last.part([*others.signals, *last.signals])
            return
    lots.append(others)
