"""An alert about alerts: one and another, one or another, one unless another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.composing import Truth, judged, names_in, parse
from qmon_agent.domain.votes import Verdict

from . import About, Fact, Judgement
from ._series import name_of

_VERDICTS: dict[Truth, Verdict] = {True: "breach", False: "clear", None: "unknown"}


class CompositeRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached while an expression over other alerts holds; `per` says what belongs together."""

    expression: str
    """As `"Too slow" and ("Queue" or "Disk") unless "Backup runs"`; a name is an alert's."""
    per: tuple[str, ...] = ("service",)
    """The labels that have to agree; one instance for each of their values."""
    _tree: Any = None
    _names: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._tree = parse(self.expression)
        self._names = frozenset(names_in(self._tree))

    def about(self) -> About:
        return About(signals=("changed",), alerts=tuple(sorted(self._names)))

    def notice(self, batch: Observed) -> Iterator[Fact]:
        for change in batch.changed:
            if change.alert in self._names:
                labels = {name: change.labels.get(name, "") for name in self.per}
                told = {"alert": change.alert, "of": change.instance, "fires": change.fires}
                yield Fact(
                    instance=name_of(labels), labels=labels, event_time=batch.time, detail=told
                )

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:  # noqa: ARG002 - of the protocol
        stands = memory.get("stands", {})
        if fact is not None:
            stands = _changed(stands, fact.detail)
        truths = {name: _truth(of.values()) for name, of in stands.items()}
        holds = judged(self._tree, truths)
        firing = ", ".join(name for name, truth in sorted(truths.items()) if truth)
        return Judgement(
            verdict=_VERDICTS[holds],
            memory={"stands": stands},
            reason="of_an_alert",
            text=f"firing: {firing}" if holds else "",
        )


def _changed(stands: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Where all stand after one has changed; what does not fire needs no remembering."""
    of = {**stands.get(told["alert"], {}), told["of"]: told["fires"]}
    if told["fires"] is False:
        del of[told["of"]]
    after = {**stands, told["alert"]: of}
    return {name: each for name, each in after.items() if each}


def _truth(fires: Any) -> Truth:
    every = [*fires]
    return True if True in every else None if every else False
