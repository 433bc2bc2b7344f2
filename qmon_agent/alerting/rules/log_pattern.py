"""Lines that programs write: too many of them that say a thing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import translate
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.windows import BINS, add, total, width_of, within
from qmon_sdk.protocol.signals import Log

from . import About, Fact, Judgement
from ._lines import Lined
from ._series import group, name_of

SHOWN = 200
READ = 4_096
"""Of a line, what a pattern is looked for in: how long it is, is up to who sends it."""
_REGEX = "~"


class LogPatternRule(Lined, kw_only=True, forbid_unknown_fields=True):
    """Compares how many lines of a level, a logger and a text came in a window."""

    threshold: str | float = ">= 1"
    """How many are too many, as `> 10`; a bare number means at least."""
    system: str = ""
    """Only lines of this service; empty means each service by itself."""
    levels: tuple[str, ...] = ()
    """Only lines of these levels; empty means all."""
    logger: str = "*"
    """Only lines of this logger; `*` and `?` stand for anything."""
    text: str = "*"
    """Only lines like this: `*` and `?` stand for anything; behind a `~` a regular expression."""
    where: dict[str, str] = msgspec.field(default_factory=dict)
    """Only lines with these attributes."""
    per: tuple[str, ...] = ()
    """One instance for each `level`, `logger`, `template` or attribute, beside each service."""
    window: str | float = "5m"
    """How far back is counted."""
    _width_ns: int = 1
    _looks: tuple[re.Pattern[str], ...] = ()

    def __post_init__(self) -> None:
        self.prepare()
        self._width_ns = width_of(parse_duration(self.window))
        self._looks = _compiled(self.text, "text"), _compiled(self.logger, "logger")

    def about(self) -> About:
        return About(signals=("logs",), policy=self.policy)

    def notice(self, batch: Observed) -> Iterator[Fact]:
        if self.system not in {"", batch.service}:
            return
        found: dict[str, tuple[dict[str, str], list[Log]]] = {}
        for log in batch.logs:
            if self._is_meant(log):
                labels = group(batch.service, self.per, _said(log))
                found.setdefault(name_of(labels), (labels, []))[1].append(log)
        for name, (labels, lines) in found.items():
            yield Fact(
                instance=name,
                labels=labels,
                event_time=lines[-1].time,
                detail={"lines": len(lines), "last": lines[-1].body[:SHOWN]},
            )

    def _is_meant(self, log: Log) -> bool:
        text, logger = self._looks
        return bool(
            (not self.levels or log.level in self.levels)
            and self.where.items() <= log.attributes.items()
            and logger.search(log.logger)
            and text.search(log.body[:READ])
        )

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        at = now // self._width_ns
        rows = memory.get("rows", [])
        if fact is not None:
            rows = add(rows, at, [fact.detail["lines"]])
            memory = {**memory, "last": fact.detail["last"]}
        rows = within(rows, at, BINS)
        memory = {**memory, "rows": rows}
        lines = total(rows, at, BINS)
        return self.compared(
            float(lines),
            memory,
            wake=(at + 1) * self._width_ns if rows else None,
            text=f"{lines:.0f} lines, the last: {memory.get('last', '')}",
        )


def _compiled(pattern: str, option: str) -> re.Pattern[str]:
    try:
        if pattern.startswith(_REGEX):
            return re.compile(pattern[1:])
        return re.compile(rf"\A{translate(pattern)}", re.DOTALL)
    except re.error as error:
        raise ConfigError(option, f"{pattern!r} is no regular expression: {error}") from None


def _said(log: Log) -> dict[str, str]:
    own = {"level": log.level, "logger": log.logger, "template": log.template}
    return {**log.attributes, **own}
