"""The shapes an expression is made of; equal parts of several expressions are one node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

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
        from .patterns import matcher_of

        value = self.value
        if self.operator == "=":
            return lambda said: said == value
        if self.operator == "!=":
            return lambda said: said != value
        matches = matcher_of(value)
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

    def walk(self, reach: int = 0) -> Iterator[tuple[Selector, int]]:
        """Every selector below, and how many milliseconds it looks back."""
        for child in self.children:
            yield from child.walk(reach)
