"""One alert at work: its rule, and a cell for each instance it has met, within a bound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from qmon_agent.domain.alarms.flapping import Tolerance
from qmon_agent.domain.catalog import Alert, Metric, MonitoringSystem
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError, InvalidThresholdError
from qmon_agent.domain.incidents import Policy
from qmon_agent.domain.plugins import options_of
from qmon_agent.domain.votes import Ballot, parse_share

from .evaluation import Cell
from .observed import Observed
from .rules import EVERY, RULES, About, Fact, Rule

MAX_INSTANCES = 10_000
FLAPPING_WINDOW = "20m"
"""Quiet: it takes seven changes, within a minute or within some twelve; then it is as long calm."""
LIFE = "life"
"""Among the options of an alert those that are no rule's, but the life of its incidents."""


class Life(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an alert says of the life of its incidents, beside `for` and `keep_firing_for`."""

    on_unknown: Literal["", "keep", "fire", "resolve"] = ""
    unknown_for: str | float = ""
    votes: str = ""
    may_miss: str = ""
    priority: str = ""
    flapping_window: str | float = FLAPPING_WINDOW
    flapping_high: float = 30.0
    flapping_low: float = 25.0


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert is on: a metric of a system, or nothing in particular."""

    metric: Metric | None = None
    system: MonitoringSystem | None = None


class Lasting(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of an alert, which may be at work no more."""

    alert: Alert
    system: str
    metric: str
    instance: str
    cell: Cell


class Watch:
    """Cells by instance, in the order they were last heard of."""

    def __init__(self, alert: Alert, subject: Subject, *, limit: int = MAX_INSTANCES) -> None:
        """Build the rule; raises ConfigError naming what is wrong with the alert."""
        self.alert = alert
        self.system = subject.system.name if subject.system else ""
        self.metric = subject.metric.name if subject.metric else ""
        self.rule = build_rule(alert, system=self.system, metric=self.metric)
        self.about: About = self.rule.about()
        self.policy = policy_of(alert, self.about.policy)
        self.cells: dict[str, Cell] = {}
        self._limit = limit

    def cell(self, instance: str) -> Cell:
        """The cell of an instance, a new one if it was never heard of."""
        return self.cells.get(instance) or Cell()

    def put(self, instance: str, cell: Cell) -> None:
        """Keep a cell as the one heard of last."""
        self.cells.pop(instance, None)
        self.cells[instance] = cell

    def lasting(self, instance: str) -> Lasting:
        """An instance as it stands, apart from what judges it."""
        return Lasting(
            alert=self.alert,
            system=self.system,
            metric=self.metric,
            instance=instance,
            cell=self.cells[instance],
        )

    def facts(self, batch: Observed) -> Iterator[Fact]:
        """What a batch says about each instance; what is said of every one, about those known."""
        for fact in self.rule.notice(batch):
            if fact.instance != EVERY:
                yield fact
                continue
            for instance, cell in list(self.cells.items()):
                if fact.labels.items() <= cell.labels.items():
                    yield msgspec.structs.replace(fact, instance=instance, labels=cell.labels)

    @property
    def is_matched(self) -> bool:
        """Whether its metric has ever been seen; of what is expected the rule itself tells."""
        return bool(self.cells) or not self.about.metric

    def make_room(self, instance: str) -> str | None:
        """An instance to be forgotten for a new one, or itself when all others are needed."""
        if instance in self.cells or len(self.cells) < self._limit:
            return None
        quiet = (name for name, cell in self.cells.items() if cell.episode.state == "inactive")
        return next(quiet, instance)


def build_rule(alert: Alert, *, system: str, metric: str) -> Rule:
    """The alert's rule with its options; raises ConfigError or UnknownPluginError."""
    where = f"alerts.{alert.name}"
    said: dict[str, Any] = {"system": system, "metric": metric, "threshold": alert.threshold}
    known = options_of(RULES.find(alert.rule))
    options = {name: value for name, value in said.items() if value and name in known}
    own = {name: value for name, value in alert.options.items() if name != LIFE}
    try:
        return RULES.build(alert.rule, options | own, path=where)
    except InvalidThresholdError as error:
        raise ConfigError(f"{where}.threshold", str(error)) from None


def policy_of(alert: Alert, words: Policy) -> Policy:
    """How its incidents live; raises ConfigError for a vote that makes no sense."""
    # What the alert says beside its threshold is said on purpose, and wins.
    where = f"alerts.{alert.name}"
    life, unknown_for_ns = _life_of(alert, where)
    return Policy(
        for_ns=round(alert.for_s * SECOND) or words.for_ns,
        keep_firing_ns=round(alert.keep_firing_for_s * SECOND) or words.keep_firing_ns,
        severity=alert.severity,
        on_unknown=life.on_unknown or words.on_unknown,
        unknown_for_ns=unknown_for_ns or words.unknown_for_ns,
        ballot=_ballot(life, where) or words.ballot,
        flapping=_tolerance(life, where),
    )


def _life_of(alert: Alert, where: str) -> tuple[Life, int]:
    try:
        life = msgspec.convert(alert.options.get(LIFE, {}), Life)
        return life, parse_duration(life.unknown_for)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}.{LIFE}", str(error)) from None
    except ValueError as error:
        raise ConfigError(f"{where}.unknown_for", str(error)) from None


def _ballot(life: Life, where: str) -> Ballot | None:
    if not (life.votes or life.may_miss):
        return None
    need, of = parse_share(life.votes or "1 of 1", least=1, where=f"{where}.votes")
    spare, within = parse_share(life.may_miss or "0 of 1", least=0, where=f"{where}.may_miss")
    return Ballot(need=need, of=of, spare=spare, within=within)


def _tolerance(life: Life, where: str) -> Tolerance:
    if not 0 < life.flapping_low <= life.flapping_high <= 100:  # noqa: PLR2004 - percent
        reason = "it has to be at least flapping_low, that more than 0, and both at most 100"
        raise ConfigError(f"{where}.flapping_high", reason)
    try:
        window_ns = parse_duration(life.flapping_window)
    except ValueError as error:
        raise ConfigError(f"{where}.flapping_window", str(error)) from None
    return Tolerance(window_ns=window_ns, high=life.flapping_high, low=life.flapping_low)
