"""The shapes an expression is made of; equal parts of several expressions are one node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import TYPE_CHECKING, Literal

import msgspec

from qmon_agent.domain.alarms.patterns import pattern

if TYPE_CHECKING:
    from .evaluation import Moment, Value

Kind = Literal["scalar", "vector", "matrix", "string"]

LOOKBACK_MS = 300_000


class PromqlError(ValueError):
    """An evaluation that Prometheus ends with an error as well."""


class UnsupportedError(ValueError):
    """An expression that cannot be read, or asks for what is not there."""


class Matcher(msgspec.Struct, frozen=True):
    """One condition on a label."""

    name: str
    operator: Literal["=", "!=", "=~", "!~"]
    value: str

    def test(self) -> Callable[[str], bool]:
        """What says whether a label's value is meant."""
        value = self.value
        if self.operator == "=":
            return lambda said: said == value
        if self.operator == "!=":
            return lambda said: said != value
        matches = pattern(value).fits
        return matches if self.operator == "=~" else lambda said: not matches(said)


class Selector(msgspec.Struct, frozen=True):
    """Which series are meant, whatever is made of them; `name` is empty where none is said."""

    name: str
    matchers: tuple[Matcher, ...]


class Node:
    """One part of an expression; `shared` says that it is a part of more than one place."""

    kind: Kind = "vector"
    shared = False
    children: Sequence[Node] = ()

    def run(self, moment: Moment) -> Value:
        """Its value at a moment; raises PromqlError."""
        raise NotImplementedError

    def certain(self) -> Node:
        """The same without its filters: it has every label set of which something is known.

        What is in here, and not in the value, was looked at and is well; what is in neither is
        missing.
        """
        children = tuple(child.certain() for child in self.children)
        if all(new is old for new, old in zip(children, self.children, strict=True)):
            return self
        twin = copy(self)
        twin.children, twin.shared = children, False
        return twin

    def walk(self, reach: int = 0) -> Iterator[tuple[Selector, int]]:
        """Every selector below, and how many milliseconds it looks back."""
        for child in self.children:
            yield from child.walk(reach)
