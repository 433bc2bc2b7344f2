"""What rules about a share have in common: two counts in a window, and how many it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.windows import BINS, add, total, width_of, within

from . import Fact, Judgement
from ._lines import Lined, unknown
from ._series import name_of

Counts = tuple[dict[str, str], float, float]
"""Labels of an instance, how many are meant, and how many there are."""


class Shared(Lined, kw_only=True):
    """Options of a rule that compares a share of what happened in a window."""

    per: tuple[str, ...] = ()
    """One instance for each value of these attributes, beside each service."""
    window: str | float = "5m"
    """How far back is counted."""
    min_events: float = 50
    """With fewer of them nothing is known, and nothing resolved."""
    _width_ns: int = 1

    def prepare(self) -> None:
        """Read the lines and the window."""
        super().prepare()
        self._width_ns = width_of(parse_duration(self.window))

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        """The share of the window up to now."""
        at = now // self._width_ns
        rows = memory.get("rows", [])
        if fact is not None:
            rows = add(rows, at, fact.detail["counts"])
        rows = within(rows, at, BINS)
        memory = {**memory, "rows": rows}
        wake = (at + 1) * self._width_ns if rows else None
        events = total(rows, at, BINS, column=2)
        if events < max(self.min_events, 1e-300):
            return unknown(memory, "too_few_events", wake)
        part = total(rows, at, BINS)
        return self.compared(
            part / events,
            memory,
            wake=wake,
            text=f"{100 * part / events:.3g} % ({part:.6g} of {events:.6g})",
        )


def shares(counts: Iterable[Counts], newest: int) -> Iterator[Fact]:
    """One fact for each instance, all of a batch added up."""
    summed: dict[str, tuple[dict[str, str], list[float]]] = {}
    for labels, part, whole in counts:
        _, both = summed.setdefault(name_of(labels), (labels, [0.0, 0.0]))
        both[0] += part
        both[1] += whole
    for name, (labels, both) in summed.items():
        yield Fact(instance=name, labels=labels, event_time=newest, detail={"counts": both})
