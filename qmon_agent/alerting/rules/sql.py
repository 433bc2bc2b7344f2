"""A question to the store, asked over and over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from numbers import Real
from typing import Any, Literal

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError

from . import FAILED, GONE, About, Fact, Judgement, Statement
from ._lines import HELD, Lined, unknown
from ._series import name_of

LATE = 3
"""After so many intervals without an answer nothing is known."""
_LONGEST_NS = 60 * SECOND


class SqlRule(Lined, kw_only=True, forbid_unknown_fields=True):
    """Compares a number of each row of a SELECT; the other columns say which instance it is."""

    query: str
    """One statement that reads, as for `qmon-agent query`."""
    every: str | float = "1m"
    """Time between two times it is asked, from the answer on."""
    timeout: str | float = "10s"
    """How long the answer may take, a minute at most."""
    column: str = ""
    """The column that is compared; empty: the last one."""
    gone: Literal["clear", "keep"] = "clear"
    """What an instance is that was in an answer, and is in the newest no more."""
    _stale_ns: int = 0
    _statement: Statement = Statement(sql="", every_s=1.0, timeout_s=1.0)

    def __post_init__(self) -> None:
        self.prepare()
        if not self.query.strip():
            raise ConfigError("query", "there is none")
        every, timeout = parse_duration(self.every), parse_duration(self.timeout)
        if not 0 < timeout <= _LONGEST_NS:
            raise ConfigError("timeout", f"{self.timeout} is not within a minute")
        every = max(every, SECOND)
        self._stale_ns = LATE * (every + timeout)
        self._statement = Statement(
            sql=self.query, every_s=every / SECOND, timeout_s=timeout / SECOND
        )

    def about(self) -> About:
        return About(signals=("replies",), statement=self._statement, policy=self.policy)

    def notice(self, batch: Observed) -> Iterator[Fact]:
        for reply in batch.replies:
            if reply.sql != self.query:
                continue
            for row in reply.rows:
                column = self.column or next(reversed([*row]), "")
                labels = {name: str(said) for name, said in row.items() if name != column}
                yield Fact(
                    instance=name_of(labels),
                    value=_number(row.get(column)),
                    event_time=batch.time,
                    labels=labels,
                )

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        if fact is not None:
            memory = _noted(memory, fact, now)
        if not memory.get("seen") or now - memory["seen"] >= self._stale_ns:
            return unknown(memory, "no_data")
        wake = memory["seen"] + self._stale_ns
        if memory["failed"] or (memory["gone"] and self.gone == "keep"):
            return unknown(memory, "no_answer" if memory["failed"] else GONE, wake)
        if memory["gone"]:
            return Judgement(verdict="clear", memory={**memory, HELD: 0}, wake=wake)
        return self.compared(memory["value"], memory, wake=wake)


def _noted(memory: Mapping[str, Any], fact: Fact, now: int) -> dict[str, Any]:
    """What is known with an answer, or with there being none."""
    if FAILED in fact.detail:
        return {**memory, "failed": True}
    told = {"value": fact.value, "seen": now, "gone": GONE in fact.detail, "failed": False}
    return {**told, HELD: memory.get(HELD, 0)}


def _number(said: Any) -> float | None:
    """What is compared; nothing for what is none."""
    if isinstance(said, bool) or not isinstance(said, Real):
        return float(said) if isinstance(said, bool) else None
    number = float(said)
    return number if isfinite(number) else None
