"""Matchers: conditions on labels, as Prometheus and Alertmanager have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from .patterns import pattern

Labels = Mapping[str, str]
Operator = Literal["=", "!=", "=~", "!~"]
OPERATORS: tuple[Operator, ...] = ("=", "!=", "=~", "!~")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Matcher(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A label, and what its value has to be; a label that is missing is an empty one.

    A regular expression has to fit the whole value; raises ConfigError when it is none.
    """

    name: str
    operator: Operator = "="
    value: str = ""

    def __post_init__(self) -> None:
        """Refuse an expression while somebody is there to read why."""
        if self.operator.endswith("~"):
            pattern(self.value)

    def holds(self, labels: Labels) -> bool:
        """Whether the labels are as it says."""
        value = labels.get(self.name, "")
        if self.operator.endswith("~"):
            return pattern(self.value).fits(value) is (self.operator == "=~")
        return (value == self.value) is (self.operator == "=")

    @property
    def names_something(self) -> bool:
        """Whether it fails where the label is missing."""
        return not self.holds({})

    def __str__(self) -> str:
        """The text that both of Alertmanager's readers understand, where the name allows it."""
        classic = self.name.isascii() and self.name.replace(":", "_").isidentifier()
        name = self.name if classic else f'"{self.name.translate(_ESCAPES)}"'
        return f'{name}{self.operator}"{self.value.translate(_ESCAPES)}"'


Matchers = tuple[Matcher, ...]


def known_by(labels: Labels, *, alert: str, severity: str, service: str = "") -> dict[str, str]:
    """The labels by which routes, silences, inhibition and status pages know what an alert says.

    Without a service, that among its labels stays.
    """
    known = {**labels, "alertname": alert, "severity": severity}
    return {**known, "service": service} if service else known


def all_hold(matchers: Iterable[Matcher], labels: Labels) -> bool:
    """Whether every one holds; of none, yes."""
    return all(matcher.holds(labels) for matcher in matchers)


def print_matchers(matchers: Matchers) -> str:
    """The text that is read back to the same."""
    return "{" + ", ".join(map(str, matchers)) + "}"
