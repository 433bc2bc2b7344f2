"""One evaluation: an expression's value at a moment, of what the window holds."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

import msgspec

from .labels import NONE, Labels
from .tree import LOOKBACK_MS, Node, PromqlError
from .window import Window

Vector = dict[Labels, float]
Run = tuple[Labels, "array[int]", "array[float]", bool]
"""The samples of one series in a range, and whether the values may fall."""
Value = Any
"""A float, a Vector, a list of Runs, or a text; which one, the node's `kind` says."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where versions of Prometheus differ, and what it is told by flags."""

    lookback_ms: int = LOOKBACK_MS
    step_ms: int = 60_000
    """Between the evaluations of a subquery that names no step: the interval of evaluation."""
    closed: bool = False
    """Whether a range has both its ends, as in Prometheus 2; since 3 it has the later one only."""


DEFAULT = Settings()


class Moment:
    """When, of what, and what was found out at that time already."""

    __slots__ = ("at", "known", "settings", "window")

    def __init__(
        self,
        window: Window,
        at: int,
        *,
        settings: Settings = DEFAULT,
        known: dict[tuple[Node, int], Value] | None = None,
    ) -> None:
        """`at` in milliseconds since 1970; `known` is shared by what is asked at one time."""
        self.window = window
        self.at = at
        self.settings = settings
        self.known = {} if known is None else known

    def moved(self, at: int) -> Moment:
        """The same window at another time."""
        return Moment(self.window, at, settings=self.settings, known=self.known)

    def value(self, node: Node) -> Value:
        """What a node is now; what is part of several expressions is found out once."""
        if not node.shared:
            return node.run(self)
        key = (node, self.at)
        if key not in self.known:
            self.known[key] = node.run(self)
        return self.known[key]

    def scalar(self, node: Node) -> float:
        value: float = self.value(node)
        return value

    def vector(self, node: Node) -> Vector:
        """Not to be changed: others may look at it."""
        value: Vector = self.value(node)
        return value


def evaluate(node: Node, moment: Moment) -> Vector:
    """What a rule gets: a scalar is one value without labels; raises PromqlError."""
    value = moment.value(node)
    return {NONE: value} if node.kind == "scalar" else value


def gathered(pairs: Iterable[tuple[Labels, float]]) -> Vector:
    """A vector, in which no label set is there twice."""
    found: Vector = {}
    for labels, value in pairs:
        if labels in found:
            raise PromqlError("vector cannot contain metrics with the same labelset")
        found[labels] = value
    return found
