"""An expression of Prometheus, asked at an interval of what arrives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.alerting.promql import Expressions
from qmon_agent.alerting.promql.templates import Template, TemplateError
from qmon_agent.alerting.promql.tree import UnsupportedError
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.votes import Verdict

from . import About, Fact, Judgement, Question, Record

_VERDICTS: dict[str, Verdict] = {"breach": "breach", "clear": "clear"}


class PromqlRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached by each label set that a PromQL expression has; what is missing is unknown."""

    expr: str
    """The expression, as in `alert` rules of Prometheus."""
    interval: str | float = "15s"
    """How often it is asked."""
    records: tuple[Record, ...] = ()
    """Recording rules it needs, in their order: `record`, `expr`, `labels`."""
    labels: dict[str, str] = {}
    """Put on each incident; templates as in Prometheus."""
    text: str = ""
    """What is said of an incident, as `summary` or `description` in Prometheus; a template."""
    missing: Literal["keep", "resolve"] = "keep"
    """What becomes of an incident whose series are gone: unknown, or over, as Prometheus has it."""

    def __post_init__(self) -> None:
        if parse_duration(self.interval) <= 0:
            raise ConfigError("interval", "has to be more than nothing")
        expressions = Expressions()
        said = {f"records[{n}].expr": each.expr for n, each in enumerate(self.records)}
        for place, text in {**said, "expr": self.expr}.items():
            try:
                expressions.parse(text)
            except UnsupportedError as problem:
                raise ConfigError(place, str(problem)) from None
        texts = {f"labels.{name}": text for name, text in self.labels.items()} | {"text": self.text}
        for place, text in texts.items():
            try:
                Template(text)
            except TemplateError as problem:
                raise ConfigError(place, str(problem)) from None

    def about(self) -> About:
        return About(
            question=Question(
                expression=self.expr,
                interval_ns=parse_duration(self.interval),
                records=self.records,
                labels=self.labels,
                text=self.text,
            )
        )

    def notice(self, _batch: Observed) -> Iterable[Fact]:
        return ()

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        found = fact.detail["found"] if fact else memory.get("found", "no_data")
        memory = {"found": found, "at": now if fact else memory.get("at", 0)}
        if found == "no_data" and self.missing == "resolve":
            found = "clear"
        verdict = _VERDICTS.get(found, "unknown")
        return Judgement(verdict=verdict, memory=memory, reason=found)
