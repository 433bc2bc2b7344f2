"""Operators between numbers, vectors, and both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Literal

from .arithmetic import ARITHMETIC, COMPARISON, Operation
from .evaluation import Moment, Value, Vector, gathered
from .labels import NAME, NAMELESS, Labels, cut_of, labels_of
from .tree import Node, PromqlError

Apply = Callable[[float, float], float | None]
"""What comes of two values; None where a comparison leaves them out."""


def apply_of(operator: str, *, as_bool: bool) -> Apply:
    """A comparison without `bool` answers its left side, where it holds."""
    if operator in ARITHMETIC or as_bool:
        return operation_of(operator)
    compare = COMPARISON[operator]
    return lambda left, right: left if compare(left, right) else None


def operation_of(operator: str) -> Operation:
    """An operator that always answers: of a comparison, whether it holds."""
    if operator in ARITHMETIC:
        return ARITHMETIC[operator]
    compare = COMPARISON[operator]
    return lambda left, right: 1.0 if compare(left, right) else 0.0


class Negation(Node):
    """`-x`."""

    def __init__(self, inner: Node) -> None:
        self.children = (inner,)
        self.kind = inner.kind

    def run(self, moment: Moment) -> Value:
        [inner] = self.children
        if inner.kind == "scalar":
            return -moment.scalar(inner)
        vector = moment.vector(inner)
        return gathered((labels.cut(NAMELESS), -value) for labels, value in vector.items())


class OfScalars(Node):
    """Two numbers make one; a comparison of two is always one with `bool`."""

    kind = "scalar"

    def __init__(self, operator: str, left: Node, right: Node) -> None:
        self.children = (left, right)
        self._operation = operation_of(operator)

    def run(self, moment: Moment) -> float:
        left, right = self.children
        return self._operation(moment.scalar(left), moment.scalar(right))


class WithScalar(Node):
    """Every value of a vector and one number; a comparison keeps the vector's own values."""

    def __init__(self, operator: str, left: Node, right: Node, *, as_bool: bool) -> None:
        self.children = (left, right)
        self._operator = operator
        self._keeps_name = operator in COMPARISON and not as_bool
        self._operation = operation_of(operator)

    def run(self, moment: Moment) -> Vector:
        left, right = self.children
        if left.kind == "scalar":
            return self._found(moment.vector(right), moment.scalar(left), swapped=True)
        return self._found(moment.vector(left), moment.scalar(right), swapped=False)

    def certain(self) -> Node:
        if not self._keeps_name:
            return super().certain()
        return next(child for child in self.children if child.kind == "vector").certain()

    def _found(self, vector: Vector, number: float, *, swapped: bool) -> Vector:
        if self._keeps_name:
            holds = COMPARISON[self._operator]
            if swapped:
                return {labels: v for labels, v in vector.items() if holds(number, v)}
            return {labels: v for labels, v in vector.items() if holds(v, number)}
        apply = self._operation
        return gathered(
            (labels.cut(NAMELESS), apply(number, value) if swapped else apply(value, number))
            for labels, value in vector.items()
        )


class Matching:
    """Which labels have to agree, and which side may have several to one of the other."""

    def __init__(self, names: tuple[str, ...], *, on: bool) -> None:
        """`on` these labels, or ignoring them."""
        self.on = on
        self.cut = cut_of(names, keeps=True) if on else cut_of((*names, NAME), keeps=False)
        # What becomes of labels that match one to one keeps the name, where nothing says otherwise.
        self.result = cut_of(names, keeps=on)
        self.many: Literal["", "left", "right"] = ""
        self.include: tuple[str, ...] = ()


class OfVectors(Node):
    """Pairs of series whose labels agree."""

    def __init__(
        self, operator: str, sides: tuple[Node, Node], *, matching: Matching, as_bool: bool
    ) -> None:
        self.children = sides
        self._matching = matching
        self._apply = apply_of(operator, as_bool=as_bool)
        self._drops_name = operator in ARITHMETIC or as_bool

    def run(self, moment: Moment) -> Vector:
        left, right = map(moment.vector, self.children)
        if not left or not right:
            return {}
        many, one = (right, left) if self._matching.many == "right" else (left, right)
        found: dict[Labels, tuple[Labels, float]] = {}
        for labels, value in one.items():
            group = labels.cut(self._matching.cut)
            if group in found:
                raise PromqlError(self._doubled(group, (found[group][0], labels)))
            found[group] = labels, value
        return gathered(self._pairs(many, found))

    def certain(self) -> Node:
        if self._drops_name:
            return super().certain()
        twin = copy(self)
        twin.children = tuple(child.certain() for child in self.children)
        twin.shared, twin._apply = False, _left  # noqa: SLF001 - its own twin
        return twin

    def _pairs(
        self, many: Vector, one: dict[Labels, tuple[Labels, float]]
    ) -> Iterator[tuple[Labels, float]]:
        matching, swapped = self._matching, self._matching.many == "right"
        seen: set[Labels | tuple[Labels, Labels]] = set()
        for labels, value in many.items():
            group = labels.cut(matching.cut)
            match = one.get(group)
            if match is None:
                continue
            made = self._apply(match[1], value) if swapped else self._apply(value, match[1])
            if made is None:
                continue
            result = self._labels(labels, match[0])
            key = (group, result) if matching.many else group
            if key in seen:
                raise PromqlError(_MULTIPLE["many" if matching.many else "one"])
            seen.add(key)
            yield result, made

    def _labels(self, labels: Labels, other: Labels) -> Labels:
        matching = self._matching
        kept = labels.cut(NAMELESS) if self._drops_name else labels
        if not matching.many:
            return kept.cut(matching.result)
        if not matching.include:
            return kept
        return labels_of({**kept.mapping(), **{name: other.get(name) for name in matching.include}})

    def _doubled(self, group: Labels, twins: tuple[Labels, Labels]) -> str:
        side = "left" if self._matching.many == "right" else "right"
        return (
            f"found duplicate series for the match group {group} on the {side} hand-side of the "
            f"operation: {twins[0]}, {twins[1]}: many-to-many matching not allowed"
        )


_MULTIPLE = {
    "one": "multiple matches for labels: many-to-one matching must be explicit "
    "(group_left/group_right)",
    "many": "multiple matches for labels: grouping labels must ensure unique matches",
}


def _left(left: float, _right: float) -> float:
    return left


class Sets(Node):
    """`and`, `or`, `unless`."""

    def __init__(self, operator: str, sides: tuple[Node, Node], *, matching: Matching) -> None:
        self.children = sides
        self._operator = operator
        self._cut = matching.cut

    def certain(self) -> Node:
        """Of what is left out by something, that there is nothing is the rule."""
        if self._operator == "unless":
            return self.children[0].certain()
        return Both(self.children) if self._operator == "or" else super().certain()

    def run(self, moment: Moment) -> Vector:
        left, right = map(moment.vector, self.children)
        cut = self._cut
        if self._operator == "or":
            there = {labels.cut(cut) for labels in left}
            return left | {k: v for k, v in right.items() if k.cut(cut) not in there}
        there = {labels.cut(cut) for labels in right}
        wanted = self._operator == "and"
        return {k: v for k, v in left.items() if (k.cut(cut) in there) is wanted}


class Both(Node):
    """What one or the other side of an `or` may have, whichever is there."""

    def __init__(self, sides: Sequence[Node]) -> None:
        self.children = tuple(side.certain() for side in sides)

    def run(self, moment: Moment) -> Vector:
        left, right = map(moment.vector, self.children)
        return left | right
