"""Inhibition: what is not told while something worse, which explains it, is firing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from .matchers import Labels, Matchers, all_hold


class InhibitRule(msgspec.Struct, frozen=True, kw_only=True):
    """Targets are muted while a source fires whose labels named in `equal` are the same."""

    source: Matchers = ()
    target: Matchers = ()
    equal: tuple[str, ...] = ()


def inhibitors(
    rules: Iterable[InhibitRule], labels: Labels, firing: Mapping[str, Labels]
) -> tuple[str, ...]:
    """Of all that fires, by its name, what mutes an alert with these labels.

    An alert that a rule takes for source and target is not muted by another such; itself is one.
    """
    found: dict[str, None] = {}
    for rule in rules:
        if all_hold(rule.target, labels):
            is_source = all_hold(rule.source, labels)
            for name, other in firing.items():
                if _mutes(rule, labels, other, is_source=is_source):
                    found[name] = None
    return tuple(found)


def _mutes(rule: InhibitRule, labels: Labels, other: Labels, *, is_source: bool) -> bool:
    # A label that is missing equals an empty one.
    if any(labels.get(name, "") != other.get(name, "") for name in rule.equal):
        return False
    if not all_hold(rule.source, other):
        return False
    return not (is_source and all_hold(rule.target, other))
