"""Rules: one condition per file. The protocol, what a rule says, and the registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.incidents import Verdict
from qmon_agent.domain.plugins import Registry


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch says about one instance of a rule."""

    instance: str
    value: float = 0.0
    event_time: int = 0
    text: str = ""
    labels: Mapping[str, str] = {}


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict on one instance, what to remember of it, and when to ask again without news."""

    verdict: Verdict
    memory: dict[str, Any]
    value: float | None = None
    reason: str = ""
    wake: int | None = None


class Rule(Protocol):
    """A condition, whose fields are its options; called by one task, per fact and per due tick.

    Pure: all memory is in what it returns (plain JSON), so that it survives a restart and replays
    to the same verdicts. A fact is a value or a happening; the service holds the verdict against
    `for` and `keep_firing_for`, so no rule counts time for that.
    """

    resolves_quietly: ClassVar[bool]

    def expected(self) -> Iterable[Fact]:
        """Instances that exist before any data does; judged from the first tick on."""
        ...

    def notice(self, batch: Observed) -> Iterable[Fact]:
        """What the batch says about each instance this rule looks at."""
        ...

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        """The verdict; without a fact only time has passed. An empty memory is a new instance."""
        ...


RULES: Registry[Rule] = Registry(__name__, role="Rule")
