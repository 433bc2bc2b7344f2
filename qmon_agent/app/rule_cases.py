"""Tests of rules as they are written: series and signals that come in, and alerts that fire."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from qmon_agent.app.rule_acts import Act, act_of, is_act
from qmon_agent.app.rules_read import LeftOut, alerts_in
from qmon_agent.domain.catalog import SEVERITIES
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError, QmonError, nearest_to, raise_all
from qmon_agent.domain.series_text import parse_values
from qmon_agent.ingest.trials import Put, puts_of
from qmon_agent.settings import AlertOptions, convert_table
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Point

MIDNIGHT = 1_699_920_000 * SECOND
"""When a test begins that does not say: a Tuesday, 2023-11-14, in UTC."""
LOOKED_AT = ("point", "error", "session", "checkin", "log", "event", "snapshot", "finding")
"""The kinds of signals that rules look at."""


class Series(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the `series` of a test."""

    metric: str
    """What it is called."""
    values: str
    """A sample for each interval, from the beginning on: `0+10x5 _x3 7`."""
    service: str = "test"
    """Who sends it."""
    environment: str = ""
    """Where that one runs."""
    attributes: dict[str, str] = {}
    """What tells it from others of its name."""
    kind: Literal["gauge", "counter"] = "gauge"
    """Of a `counter` the values are totals, and what is sent is how much they have grown."""


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the `expect` of a test: an alert that fires; only what is said is compared."""

    alert: str
    """Its name."""
    fires: str | float = ""
    """When, since the beginning of the test: `4m`."""
    resolves: str | float | bool = ""
    """When it is over; `false`: it still fires at the end."""
    labels: dict[str, str] = {}
    """Labels it has, among others; `*` and `?` stand for anything."""
    severity: str = ""
    """How bad it is when it fires."""
    value: float | None = None
    """What was compared when it fired."""
    text: str = ""
    """What is said of it when it fires; `*` and `?` stand for anything."""
    reason: str = ""
    """Why it fires: `breach`, `breach_held`, `unknown_fired:no_data`."""
    unknown: str | bool = ""
    """Why nothing is known of it at the end, as `no_data`; `false`: something is."""


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[tests]]` table of a file for `test-rules`."""

    name: str
    """What is shown by it."""
    series: tuple[Series, ...] = ()
    """Metrics that come in, sample by sample."""
    input: tuple[dict[str, Any], ...] = ()
    """Signals that come in, as `{ at = "2m", service = "shop", error = { type = "Boom" } }`;
    `{ advance = "30s" }` lets time pass, and `{ resolve = "Boom" }` is what somebody does."""
    expect: tuple[Expected, ...] = ()
    """Every alert that fires, once for each time; one that is not listed fails the test."""
    interval: str | float = "15s"
    """Time between two samples of a series."""
    lasts: str | float = ""
    """How long it goes on, whatever would come later; if nothing is said, until nothing more comes
    in or is expected."""
    starts: datetime | None = None
    """When it begins, with its offset from UTC; otherwise on a Tuesday at midnight."""


class Told(msgspec.Struct, frozen=True):
    """What comes in at a moment since the beginning of the test, or what somebody does then."""

    at: int
    put: Put = Put()
    act: Act | None = None


class RuleCase:
    """A case made ready; raises ConfigError with everything that is wrong in it."""

    def __init__(self, table: Mapping[str, Any], where: str, names: Sequence[str]) -> None:
        """`names`: the alerts there are."""
        self.case = convert_table(table, Case, where)
        self._problems: list[QmonError] = []
        self._names = names
        interval = self._duration(self.case.interval, f"{where}.interval") or SECOND
        self.start = self._start(where)
        self._told: list[Told] = []
        for number, series in enumerate(self.case.series):
            self._take_series(series, f"{where}.series[{number}]", interval)
        self._take_input(where)
        ends = [
            self._check(each, f"{where}.expect[{n}]") for n, each in enumerate(self.case.expect)
        ]
        lasts = self._duration(self.case.lasts, f"{where}.lasts")
        self.lasts = lasts or max([0, *ends, *(each.at for each in self._told)])
        raise_all(self._problems)
        within = (each for each in self._told if each.at <= self.lasts)
        self.told = sorted(within, key=lambda each: each.at)

    def _take_series(self, series: Series, where: str, interval: int) -> None:
        try:
            values = parse_values(series.values)
        except ConfigError as problem:
            self._problems.append(ConfigError(f"{where}.values", problem.reason))
            return
        who = Resource(service=series.service, environment=series.environment)
        for number, value in enumerate(_sent(values, series.kind)):
            if value is not None:
                point = Point(
                    metric=series.metric,
                    kind=series.kind,
                    value=value,
                    attributes=dict(series.attributes),
                )
                put = Put(resource=who, kind="point", signals=(point,))
                self._told.append(Told(number * interval, put))

    def _take_input(self, where: str) -> None:
        at = 0
        for number, table in enumerate(self.case.input):
            here, said = f"{where}.input[{number}]", dict(table)
            if "at" in said:
                at = self._duration(said.pop("at"), f"{here}.at")
            try:
                if is_act(said):
                    self._told.append(Told(at, act=act_of(said, here, self._names)))
                    continue
                for put in puts_of(said, here):
                    at += put.advance
                    if put.signals:
                        _refuse_unseen(put.kind, here)
                        self._told.append(Told(at, put))
            except ConfigError as problem:
                self._problems += [problem, *problem.others]

    def _check(self, expected: Expected, where: str) -> int:
        """What may be wrong with it; the answer is the last moment it names."""
        if expected.alert not in self._names:
            near = nearest_to(expected.alert, self._names) or tuple(self._names)
            reason = f"there is no alert {expected.alert!r}"
            self._problems.append(ConfigError(f"{where}.alert", reason, near))
        if expected.severity and expected.severity not in SEVERITIES:
            near = nearest_to(expected.severity, SEVERITIES) or SEVERITIES
            reason = f"no severity {expected.severity!r}"
            self._problems.append(ConfigError(f"{where}.severity", reason, near))
        ends = "" if isinstance(expected.resolves, bool) else expected.resolves
        if expected.resolves is True:
            reason = "says when, or `false`"
            self._problems.append(ConfigError(f"{where}.resolves", reason))
        return max(
            self._duration(expected.fires, f"{where}.fires"),
            self._duration(ends, f"{where}.resolves"),
        )

    def _start(self, where: str) -> int:
        starts = self.case.starts
        if starts is None:
            return MIDNIGHT
        if starts.tzinfo is None:
            reason = "says its offset from UTC, as 2026-01-05T00:00:00Z"
            self._problems.append(ConfigError(f"{where}.starts", reason))
            return MIDNIGHT
        return round(starts.timestamp()) * SECOND

    def _duration(self, text: str | float, where: str) -> int:
        try:
            return parse_duration(text)
        except ValueError as problem:
            self._problems.append(ConfigError(where, str(problem)))
            return 0


class RuleTests(msgspec.Struct, frozen=True, kw_only=True):
    """One file, ready to be run."""

    file: Path
    alerts: tuple[AlertOptions, ...]
    cases: tuple[RuleCase, ...]
    left_out: tuple[LeftOut, ...] = ()
    """Rules of Prometheus that cannot be run: a test that expects one of them fails."""


def read_rule_tests(file: Path, usual: Path | None) -> RuleTests:
    """The tests in a file and the rules they are of; `usual`: the configuration if it names none.

    Raises ConfigError with everything that is wrong, by file, test and field.
    """
    try:
        return _read(file, usual)
    except QmonError as problem:
        for one in (problem, *problem.others):
            one.file = one.file or str(file)
        raise


def _read(file: Path, usual: Path | None) -> RuleTests:
    content = _content(file)
    rules = content.pop("rules", [])
    named = [rules] if isinstance(rules, str) else rules
    tables = content.pop("tests", [])
    if content or not _is_list(named, str) or not _is_list(tables, dict):
        raise ConfigError("", "has `rules = [FILE...]`, `[[tests]]` and nothing else")
    if not named and usual is None:
        raise ConfigError("rules", "names the files the rules are in")
    files = [file.parent / name for name in named] or [path for path in (usual,) if path]
    left_out: list[LeftOut] = []
    alerts = alerts_in(files, left_out=left_out)
    names = [alert.name for alert in alerts]
    names += [rule.name for rule in left_out if rule.kind == "alert"]
    problems: list[QmonError] = []
    cases = []
    for number, table in enumerate(tables):
        where = f"tests.{table['name']}" if table.get("name") else f"tests[{number}]"
        try:
            cases.append(RuleCase(table, where, names))
        except ConfigError as problem:
            problems += [problem, *problem.others]
    raise_all(problems)
    return RuleTests(file=file, alerts=alerts, cases=tuple(cases), left_out=tuple(left_out))


def _content(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as problem:
        raise ConfigError("", problem.strerror or "not readable") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise ConfigError("", f"not TOML: {problem}") from None


def _is_list(value: Any, of: type) -> bool:
    return isinstance(value, list) and all(isinstance(each, of) for each in value)


def _sent(values: Sequence[float | None], kind: str) -> Iterator[float | None]:
    """As it is sent: of a counter how much it has grown, all of it where it began anew."""
    before = 0.0
    for value in values:
        if kind == "gauge" or value is None:
            yield value
            continue
        yield value - before if value >= before else value
        before = value


def _refuse_unseen(kind: str, where: str) -> None:
    if kind not in LOOKED_AT:
        reason = f"no rule looks at a {kind}; they look at {', '.join(LOOKED_AT)}"
        raise ConfigError(f"{where}.{kind}", reason)
