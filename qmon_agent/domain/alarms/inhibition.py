"""Inhibition: what is not told while something worse, which explains it, is firing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from .matchers import Labels, Matchers, all_hold


class InhibitRule(msgspec.Struct, frozen=True, kw_only=True):
    """Targets are muted while a source fires whose labels named in `equal` are the same."""

    source: Matchers = ()
    target: Matchers = ()
    equal: tuple[str, ...] = ()


Sources = tuple[dict[tuple[str, ...], dict[str, bool]], ...]
"""Of each rule, by the values of its `equal` labels: names of sources, and which are targets."""


def sources_of(rules: Iterable[InhibitRule], firing: Mapping[str, Labels]) -> Sources:
    """All that fires and mutes something, so that each target is looked up and not compared."""
    found: list[dict[tuple[str, ...], dict[str, bool]]] = []
    for rule in rules:
        by_value: dict[tuple[str, ...], dict[str, bool]] = {}
        for name, labels in firing.items():
            if all_hold(rule.source, labels):
                values = by_value.setdefault(_equals(rule, labels), {})
                values[name] = all_hold(rule.target, labels)
        found.append(by_value)
    return tuple(found)


def inhibitors(rules: Sequence[InhibitRule], labels: Labels, sources: Sources) -> tuple[str, ...]:
    """The names of what mutes an alert with these labels.

    An alert that a rule takes for source and target is not muted by another such; itself is one.
    """
    found: dict[str, None] = {}
    for rule, by_value in zip(rules, sources, strict=True):
        muting = by_value.get(_equals(rule, labels))
        if not muting or not all_hold(rule.target, labels):
            continue
        is_source = all_hold(rule.source, labels)
        found.update(
            (name, None) for name, is_target in muting.items() if not (is_source and is_target)
        )
    return tuple(found)


def _equals(rule: InhibitRule, labels: Labels) -> tuple[str, ...]:
    # A label that is missing equals an empty one.
    return tuple(labels.get(name, "") for name in rule.equal)
