"""Rules that ask questions, where there are any: nothing is loaded for them before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from qmon_agent.vitals import Vitals

from .observed import Observed
from .rules import Fact
from .watch import Watch

if TYPE_CHECKING:
    from .questions import Questions

NOTE, SAMPLES = "promql", "promql.samples"
"""What they remember beside the place in the journal."""


class Inquiry:
    """Hands on what is heard; called by whoever holds the service's lock."""

    def __init__(self, *, vitals: Vitals) -> None:
        self._vitals = vitals
        self._questions: Questions | None = None

    @property
    def troubles(self) -> dict[str, str]:
        """Alerts whose question has no answer, and why."""
        return self._questions.troubles if self._questions else {}

    @property
    def unmatched(self) -> list[str]:
        """Alerts that ask for series of which there is none."""
        return self._questions.unmatched if self._questions else []

    @property
    def names(self) -> set[str]:
        """The names of series that somebody asks for; an empty one is every name."""
        return self._questions.names if self._questions else set()

    def next_due(self) -> int | None:
        """When the next question is to be asked; none where there is none."""
        return self._questions.next_due() if self._questions else None

    def forget_fresh(self) -> None:
        """Remember nothing for a restart, as there is none."""
        if self._questions:
            self._questions.forget_fresh()

    def take_up(self, watches: Iterable[Watch]) -> None:
        """Ask what these watches ask."""
        asking = [watch for watch in watches if watch.about.question]
        if asking and self._questions is None:
            # Imported only then: an agent without such rules starts without them.
            from .questions import Questions

            self._questions = Questions(vitals=self._vitals)
        if self._questions:
            self._questions.take_up(asking)

    def hear(self, batch: Observed) -> None:
        """Keep what somebody asks for."""
        if self._questions:
            self._questions.hear(batch)

    def answers(self, now: int) -> Iterator[tuple[Watch, Fact, int]]:
        """Of every question that is due by now: whose, what, and of which moment."""
        if self._questions:
            yield from self._questions.answers(now)

    def notes(self) -> dict[str, str]:
        """What a restart needs."""
        return self._questions.notes() if self._questions else {}

    def restore(self, noted: str, samples: str) -> None:
        """Go on from what was noted; call it after the watches were taken up."""
        if self._questions:
            self._questions.restore(noted, samples)
