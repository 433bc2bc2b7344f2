"""What rules about a series have in common where several instances of a service tell it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from qmon_agent.domain.replicas import Across, Row, Word, combined, heard, numbers, paced

from . import Fact

BY, GAP = "by", "gap"
"""In the memory of a rule: the only instance there is, and how far apart its points are."""
TOLD = "instances"
"""Where all that is, in the memory of a rule that has a `value` of its own."""
OF, MANY = "of", "many"
"""What each of several instances said last, and that there were several once."""


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """How one number is made of those of several instances."""

    across: Across = "any"
    silence: int = 0
    worst: Callable[[Sequence[float]], float] = max

    def remembered(self, memory: Mapping[str, Any], fact: Fact, now: int) -> dict[str, Any]:
        """The memory with the `value` of all instances, of which this fact is one, `seen` now."""
        after = {**memory, "value": fact.value, "seen": now}
        replica = fact.replica
        if not replica or fact.value is None:
            # Who says not which instance it is speaks for all of them.
            return after
        if memory.get(BY) == replica:
            # What is nearly always so has to be cheap.
            after[GAP] = paced(memory[GAP], now - memory["seen"])
            return after
        known = heard(
            _known(memory),
            Word(replica, fact.value, fact.began),
            now=now,
            newest=memory.get("seen", now),
            silence=self.silence,
        )
        after.pop(BY, None)
        after.pop(OF, None)
        if len(known) == 1:
            return {**after, BY: replica, GAP: known[replica][2]}
        value = combined(numbers(known).values(), self.across, worst=self.worst)
        return {**after, "value": value, OF: known, MANY: True}

    def told(self, memory: Mapping[str, Any], fact: Fact, now: int) -> tuple[float, dict[str, Any]]:
        """The value of all instances, and the memory, where it has another `value` of its own."""
        if not fact.replica or fact.value is None:
            return fact.value or 0.0, {**memory}
        known = self.remembered(memory.get(TOLD, {}), fact, now)
        return known["value"], {**memory, TOLD: known}

    def grown(
        self, memory: Mapping[str, Any], fact: Fact, now: int
    ) -> tuple[float, dict[str, Any]]:
        """How much a total of this instance has grown; one that has fallen began from nothing."""
        known = _known(memory.get(TOLD, {})).get(fact.replica)
        value = fact.value or 0.0
        before = known[0] if known and known[0] is not None else value
        grown = value - before if value >= before else value
        return grown, self.told(memory, fact, now)[1]


def _known(memory: Mapping[str, Any]) -> Mapping[str, Row]:
    """Of each instance; what an older agent has noted was nobody's."""
    if BY in memory:
        return {memory[BY]: (memory["value"], memory["seen"], memory[GAP])}
    known: Mapping[str, Row] = memory.get(OF, {})
    return known


def told_by(memory: Mapping[str, Any], value: float | None) -> str:
    """Whose value is compared, once there was more than one who told."""
    if MANY not in memory:
        return ""
    if BY in memory:
        return f"{memory[BY]}, the only instance"
    said = numbers(memory.get(OF, {}))
    whose = next((name for name, each in said.items() if each == value), "all")
    return f"{whose}, of {len(said)} instances"
