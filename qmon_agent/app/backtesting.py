"""What alerts would have done: the rules and the state machine over what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isnan
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from qmon_agent.alerting.evaluation import Cell
from qmon_agent.alerting.rehearsal import Judged, Rehearsal
from qmon_agent.app.recalling import KINDS, Ask, Span, metrics_in, recalled, wanted_by
from qmon_agent.domain.clock import HandClock
from qmon_agent.domain.errors import InvalidThresholdError, QueryError
from qmon_agent.domain.incidents import ACTIVE
from qmon_agent.domain.thresholds import parse_threshold
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_agent.vitals import Vitals

BINS = 60
MOST_INSTANCES = 1_000
MOST_SPELLS = 10_000
_HISTORY = 10_000


class Spell(msgspec.Struct, kw_only=True):
    """One time it would have fired; times in nanoseconds UTC, and the worst value of it."""

    instance: str
    fired_at: int
    resolved_at: int = 0
    """Zero: it still fires at the end."""
    severity: str = ""
    peak: float | None = None
    text: str = ""


class Trace(msgspec.Struct, kw_only=True):
    """One instance: what it was like, as the worst value of each of some parts of the time."""

    instance: str
    labels: Mapping[str, str] = {}
    spells: list[Spell] = []
    values: list[float | None] = []
    lowest: float | None = None
    highest: float | None = None


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Beside what really fired; a time that it would have fired matches one that overlaps it."""

    fired: int
    """How often it really did."""
    both: int
    only_now: tuple[Spell, ...] = ()
    """Would have fired, and did not."""
    only_then: tuple[Spell, ...] = ()
    """Did, and would not have."""


class Backtested(msgspec.Struct, kw_only=True):
    """What would have become of one alert."""

    alert: str
    rule: str
    fired: int = 0
    firing_ns: int = 0
    instances: list[Trace] = []
    left_out: int = 0
    """Instances, or times it fired, beyond what is kept."""
    failures: int = 0
    """How often the rule could not be worked out."""
    compared: Compared | None = None


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, and of how much."""

    since: int
    until: int
    rows: int
    alerts: tuple[Backtested, ...]


class _Notes:
    """What is heard of each instance of one alert, within a bound."""

    def __init__(self, options: AlertOptions, span: Span) -> None:
        self.told = Backtested(alert=options.name, rule=options.rule)
        self._traces: dict[str, Trace] = {}
        self._open: dict[str, Spell] = {}
        self._spells = 0
        self._span = span
        self._worst = _worst_of(options)

    def hear(self, judged: Judged) -> None:
        cell, now = judged.cell, judged.at
        trace = self._traces.get(judged.instance)
        if trace is None:
            if len(self._traces) >= MOST_INSTANCES:
                self.told.left_out += 1
                return
            trace = Trace(instance=judged.instance, values=[None] * BINS)
            self._traces[judged.instance] = trace
        trace.labels = cell.labels
        value = cell.value
        if value is not None and not isnan(value) and not cell.episode.unknown:
            self._measure(trace, value, now)
        self._follow(trace, cell, now)

    def end(self) -> Backtested:
        """What is left open fires still."""
        self.told.instances = [*self._traces.values()]
        for trace in self.told.instances:
            self.told.fired += len(trace.spells)
            ends = (each.resolved_at or self._span.until for each in trace.spells)
            begins = (each.fired_at for each in trace.spells)
            self.told.firing_ns += sum(ends) - sum(begins)
        return self.told

    def _measure(self, trace: Trace, value: float, now: int) -> None:
        since, until = self._span.since, self._span.until
        place = min(max((now - since) * BINS // (until - since), 0), BINS - 1)
        before = trace.values[place]
        trace.values[place] = value if before is None else self._worst(before, value)
        trace.lowest = value if trace.lowest is None else min(trace.lowest, value)
        trace.highest = value if trace.highest is None else max(trace.highest, value)

    def _follow(self, trace: Trace, cell: Cell, now: int) -> None:
        spell = self._open.get(trace.instance)
        if cell.episode.state not in ACTIVE:
            if spell is not None:
                spell.resolved_at = now
                del self._open[trace.instance]
            return
        if spell is None:
            if self._spells >= MOST_SPELLS:
                self.told.left_out += 1
                return
            self._spells += 1
            spell = Spell(instance=trace.instance, fired_at=cell.episode.fired_at, text=cell.text)
            trace.spells.append(spell)
            self._open[trace.instance] = spell
        spell.severity = cell.severity or spell.severity
        if cell.value is not None and not isnan(cell.value):
            peak = cell.value if spell.peak is None else self._worst(spell.peak, cell.value)
            spell.peak = peak


def backtest(
    alerts: Sequence[AlertOptions],
    asked: Sequence[str],
    ask: Ask,
    *,
    span: Span,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Backtest:
    """Of the alerts `asked` for by name; the others are there because those may follow them.

    `progress` is told how far it is, and how many rows that took.
    """
    notes = {each.name: _Notes(each, span) for each in alerts if each.name in asked}

    def heard(judged: Judged) -> None:
        if judged.alert in notes:
            notes[judged.alert].hear(judged)

    vitals = Vitals()
    with TemporaryDirectory(prefix="qmon-backtest-") as room:
        clock = HandClock(span.since)
        store = StateStore.open(f"sqlite:///{room}/state.db", clock)
        try:
            rehearsal = Rehearsal(store, clock, vitals=vitals, heard=heard)
            rehearsal.declare(alerts)
            rows = _replay(rehearsal, ask, span=span, progress=progress)
        finally:
            store.close()
    told = [each.end() for each in notes.values()]
    failures = _failures(vitals)
    for each in told:
        each.failures = failures.get(each.alert, 0)
        each.compared = compared(each, [*_history(ask, each.alert, span)])
    return Backtest(since=span.since, until=span.until, rows=rows, alerts=tuple(told))


def needed(alerts: Sequence[AlertOptions], asked: Sequence[str]) -> list[AlertOptions]:
    """The alerts that are asked for, and all others where one of them is about alerts."""
    chosen = [each for each in alerts if each.name in asked]
    return [*alerts] if any(each.rule == "composite" for each in chosen) else chosen


def _replay(
    rehearsal: Rehearsal, ask: Ask, *, span: Span, progress: Callable[[int, int], None]
) -> int:
    wanted = wanted_by(rehearsal.subjects, rehearsal.names, metrics_in(ask, span))
    rows = 0
    for batch in recalled(ask, wanted, span):
        rehearsal.live_until(batch.time)
        rehearsal.observe(batch)
        rows += sum(len(getattr(batch, shown)) for shown in KINDS)
        progress(batch.time, rows)
    rehearsal.live_until(span.until)
    return rows


def compared(told: Backtested, history: Sequence[Spell]) -> Compared | None:
    """Beside what really fired; nothing where it never did, and nobody knows whether it was on."""
    if not history:
        return None
    left = [*history]
    only_now = []
    both = 0
    for spell in (spell for trace in told.instances for spell in trace.spells):
        found = next((each for each in left if _overlap(each, spell)), None)
        if found is None:
            only_now.append(spell)
        else:
            left.remove(found)
            both += 1
    return Compared(fired=len(history), both=both, only_now=tuple(only_now), only_then=tuple(left))


def _overlap(one: Spell, other: Spell) -> bool:
    if one.instance != other.instance:
        return False
    before_end = not other.resolved_at or one.fired_at <= other.resolved_at
    return before_end and (not one.resolved_at or other.fired_at <= one.resolved_at)


def _history(ask: Ask, alert: str, span: Span) -> Iterator[Spell]:
    """What is known of it in the state of the agent; nothing where there is none."""
    name = alert.replace("'", "''")
    sql = (
        "SELECT instance, severity, value, epoch_ns(fired_at) AS fired_at, "  # noqa: S608 - quoted
        f"epoch_ns(resolved_at) AS resolved_at FROM incidents WHERE alert_name = '{name}' "
        f"AND fired_at IS NOT NULL AND fired_at < make_timestamp_ns({span.until}) "
        f"AND (resolved_at IS NULL OR resolved_at >= make_timestamp_ns({span.since})) "
        "ORDER BY fired_at"
    )
    try:
        rows = ask(sql, _HISTORY)["rows"]
    except QueryError:
        return
    for row in rows:
        yield Spell(
            instance=row["instance"],
            fired_at=row["fired_at"],
            resolved_at=row["resolved_at"] or 0,
            severity=row["severity"],
        )


def _failures(vitals: Vitals) -> dict[str, int]:
    return {
        dict(labels)["alert"]: n
        for (name, labels), n in vitals.counters().items()
        if name == "alert_rule_failures"
    }


def _worst_of(options: AlertOptions) -> Callable[[float, float], float]:
    """The lower of two values where the alert is about low ones."""
    said: Any = options.threshold or options.options.get("threshold", "")
    try:
        is_low = parse_threshold(said).operator.startswith("<")
    except InvalidThresholdError:
        is_low = False
    return min if is_low else max
