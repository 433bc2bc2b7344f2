"""Rules: one condition per file. The protocol, what a rule says, and the registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.incidents import Policy
from qmon_agent.domain.plugins import Registry
from qmon_agent.domain.votes import Verdict
from qmon_sdk.protocol.signals import CheckIn


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch says about one instance of a rule: a value, or a happening in words."""

    instance: str
    value: float | None = None
    event_time: int = 0
    text: str = ""
    labels: Mapping[str, str] = {}
    severity: str = ""
    """How bad it is, where that is told with it; empty: as bad as the alert."""
    replica: str = ""
    """Which instance of the service says so, where several say one thing together."""
    began: int = 0
    """When its process began; 0 where nobody says so."""
    detail: Mapping[str, Any] = {}
    """What nobody but the rule itself reads."""


GONE, FAILED = "gone", "failed"
"""In the detail of a fact: an instance is in the newest answer no more, or there is no answer."""
EVERY = "*"
"""The instance of a fact about all that are known and have its labels."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A signal that nobody sent, because what it tells is that nobody did."""

    key: str
    """The same whenever the same is found."""
    service: str
    environment: str
    checkin: CheckIn


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict on one instance, what to remember of it, and when to ask again without news."""

    verdict: Verdict
    memory: Mapping[str, Any]
    reason: str = "no_data"
    wake: int | None = None
    text: str = ""
    """What there is to say of it, where a fact does not say it."""
    value: float | None = None
    """What was worked out and compared, where it is not what the fact says."""
    severity: str = ""
    """How bad it is; empty: as bad as the fact says, or else the alert."""
    found: tuple[Found, ...] = ()
    """To be kept beside what was sent; after a crash perhaps again."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A series that is worked out before, and may be asked for by its name."""

    record: str
    expr: str
    labels: dict[str, str] = {}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """An expression over the samples of the last minutes; each label set it has is an instance."""

    expression: str
    interval_ns: int
    records: tuple[Record, ...] = ()
    labels: Mapping[str, str] = {}
    """Put on each instance, as templates."""
    text: str = ""
    """What there is to say of an instance, as a template."""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule asks the store over and over; one statement that reads."""

    sql: str
    every_s: float
    timeout_s: float


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What the service must know of a rule before there is any data."""

    metric: str = ""
    """Only batches with points of this metric are of interest; empty: every batch."""
    also: tuple[str, ...] = ()
    """Further metrics, where there is one."""
    beside: tuple[str, ...] = ()
    """Metrics that it reads of such a batch as well, and that are of no interest alone."""
    signals: tuple[str, ...] = ()
    """Only batches with any of these are of interest, by their names in `Observed`."""
    alerts: tuple[str, ...] = ()
    """Other alerts whose changes are shown to it."""
    resolved_by_hand: bool = False
    """Whether it is shown, of every alert, the incidents that somebody resolves."""
    expected: tuple[Fact, ...] = ()
    """Instances that are judged from the start on."""
    statement: Statement | None = None
    """Whose replies are shown to it; instances that are in none any more are shown as `GONE`."""
    policy: Policy = Policy()
    """`for` and `keep_firing_for`, where the rule's own words say them."""
    question: Question | None = None
    """Asked at an interval; each answer comes to `judge` as a fact, whose `detail` says `found`:
    `breach`, `clear`, `no_data` or `error`."""
    resolves_quietly: bool = False
    """Nobody is told that it is over, as with a thing that merely happened."""


class Rule(Protocol):
    """A condition, whose fields are its options; called by one task, per fact and per due tick.

    Pure: all memory is in what it returns (plain JSON), so that it survives a restart and replays
    to the same verdicts. The service holds verdicts against `for` and `keep_firing_for`, so no
    rule counts time for that. Anything raised makes the instance *unknown*.
    """

    def about(self) -> About:
        """The same answer each time."""
        ...

    def notice(self, batch: Observed) -> Iterable[Fact]:
        """What the batch says about each instance this rule looks at."""
        ...

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        """The verdict; without a fact only time has passed. An empty memory is a new instance."""
        ...


RULES: Registry[Rule] = Registry(__name__, role="Rule")
