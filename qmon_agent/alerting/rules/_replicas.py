"""What rules about a series have in common where several instances of a service tell it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from qmon_agent.domain.replicas import Across, combined, heard, numbers

from . import Fact

OF, MANY = "of", "many"
"""In the memory of a rule: what each instance said last, and that there were several once."""
Worst = Callable[[Sequence[float]], float]


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """How one number is made of those of several instances."""

    across: Across
    silence: int
    worst: Worst


def joined(
    memory: Mapping[str, Any], fact: Fact, now: int, *, how: Joining
) -> tuple[float | None, Mapping[str, Any]]:
    """The value of all instances that count, of which this fact is one, and what to keep of them.

    The memory's `seen` is when any of them was heard of before.
    """
    if not fact.replica or fact.value is None:
        # Who says not which instance it is speaks for all of them.
        return fact.value, {}
    known = heard(
        memory.get(OF, {}),
        fact.replica,
        value=fact.value,
        now=now,
        newest=memory.get("seen", now),
        silence=how.silence,
    )
    if len(known) == 1:
        return fact.value, {OF: known}
    value = combined(numbers(known).values(), how.across, worst=how.worst)
    return value, {OF: known, MANY: True}


def told_by(memory: Mapping[str, Any], value: float | None) -> str:
    """Whose value is compared, once there was more than one who told."""
    if MANY not in memory:
        return ""
    said = numbers(memory.get(OF, {}))
    whose = next((name for name, each in said.items() if each == value), "")
    return f"{whose or 'all'}, of {len(said)} instances"
