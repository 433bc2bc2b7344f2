"""Expressions from their text: what the parser library read, made into what can be evaluated."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from datetime import timedelta
from typing import Any

from qmon_agent.domain.errors import ConfigError

from .aggregation import FOLDS, SOME, Aggregation, CountValues, Extremes, Fold, Quantile
from .arithmetic import SETS
from .calls import call_of
from .instants import check_label
from .labels import NAME, Cut, cut_of
from .leaves import Instant, Number, Range, Subquery, Text
from .operators import Matching, Negation, OfScalars, OfVectors, Sets, WithScalar
from .patterns import PatternError
from .tree import Matcher, Node, Selector, UnsupportedError

LONGEST = 16 * 1024
DEEPEST = 64
"""Of parentheses: the library's own stack knows no end."""
_QUOTED = re.compile(r"""`([^`]*)`|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|#[^\n]*""", re.DOTALL)
_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


Key = tuple[Hashable, ...]
"""All that makes a node what it is; equal parts below it are one object already."""


class Expressions:
    """Expressions that are evaluated together: what several have in common is one node."""

    def __init__(self) -> None:
        self._nodes: dict[Key, Node] = {}

    def parse(self, text: str) -> Node:
        """Raises UnsupportedError, which says what is wrong or not there."""
        if len(text) > LONGEST:
            raise UnsupportedError(f"longer than {LONGEST} characters")
        if _depth(text) > DEEPEST:
            raise UnsupportedError("parts within parts, too deep")
        try:
            return self._node(_parsed(text))
        except (PatternError, ConfigError) as problem:
            raise UnsupportedError(str(problem)) from None
        except RecursionError:
            raise UnsupportedError("parts within parts, too deep") from None

    def _node(self, read: Any) -> Node:
        while type(read).__name__ == "ParenExpr":
            read = read.expr
        build = _BUILDERS.get(type(read).__name__)
        if build is None:
            raise UnsupportedError(f"{type(read).__name__} is not supported")
        key, make = build(read, self._node)
        known = self._nodes.get(key)
        if known is not None:
            known.shared = True
            return known
        node = self._nodes[key] = make()
        return node


Inner = Callable[[Any], Node]
Made = tuple[Key, Callable[[], Node]]


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in _QUOTED.sub("", text):
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest


def _parsed(text: str) -> Any:
    try:
        import promql_parser
    except ImportError:
        raise UnsupportedError(
            "expressions need the package promql-parser: install qmon[promql]"
        ) from None
    try:
        return promql_parser.parse(_QUOTED.sub(_without_backticks, text))
    except ValueError as problem:
        raise UnsupportedError(str(problem)) from None


def _without_backticks(quoted: re.Match[str]) -> str:
    """What the library takes for escapes in a raw text, written so that it says the same."""
    if quoted[1] is None:
        return quoted[0]
    said = quoted[1].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{said}"'


def _number(read: Any, _inner: Inner) -> Made:
    return ("number", repr(read.val)), lambda: Number(read.val)


def _text(read: Any, _inner: Inner) -> Made:
    return ("text", read.val), lambda: Text(read.val)


def _negation(read: Any, inner: Inner) -> Made:
    body = inner(read.expr)
    return ("negation", body), lambda: Negation(body)


def _instant(read: Any, _inner: Inner) -> Made:
    selector, offset = _selector(read), _offset(read)
    return ("instant", selector, offset), lambda: Instant(selector, offset=offset)


def _range(read: Any, _inner: Inner) -> Made:
    vector, length = read.vector_selector, _millis(read.range)
    selector, offset = _selector(vector), _offset(vector)
    key = ("range", selector, length, offset)
    return key, lambda: Range(selector, length, offset=offset)


def _subquery(read: Any, inner: Inner) -> Made:
    body, length, offset, step = (
        inner(read.expr),
        _millis(read.range),
        _offset(read),
        _millis(read.step),
    )
    key = ("subquery", body, length, offset, step)
    return key, lambda: Subquery(body, length, offset=offset, step=step)


def _selector(read: Any) -> Selector:
    if read.matchers.or_matchers:
        raise UnsupportedError("`or` between label matchers is not supported")
    name, matchers = read.name or "", []
    for matcher in read.matchers.matchers:
        operator = _OPERATORS[str(matcher.op).rpartition(".")[2]]
        if matcher.name == NAME and operator == "=" and not name:
            name = matcher.value
        else:
            matchers.append(Matcher(matcher.name, operator, matcher.value))  # type: ignore[arg-type]  # of _OPERATORS
    for each in matchers:
        each.test()
    return Selector(name, tuple(matchers))


def _offset(read: Any) -> int:
    if read.at is not None:
        raise UnsupportedError("`@` is not supported: only what is recent is kept")
    return _millis(read.offset)


def _millis(length: timedelta | None) -> int:
    return length // timedelta(milliseconds=1) if length else 0


def _binary(read: Any, inner: Inner) -> Made:
    operator, modifier = str(read.op), read.modifier
    sides = inner(read.lhs), inner(read.rhs)
    key = ("binary", operator, str(modifier), *sides)
    return key, lambda: _operation(operator, sides, modifier)


def _operation(operator: str, sides: tuple[Node, Node], modifier: Any) -> Node:
    kinds = {side.kind for side in sides}
    if kinds == {"scalar"}:
        return OfScalars(operator, *sides)
    as_bool = bool(modifier and modifier.return_bool)
    if "scalar" in kinds:
        return WithScalar(operator, *sides, as_bool=as_bool)
    matching = _matching(modifier)
    if operator in SETS:
        return Sets(operator, sides, matching=matching)
    return OfVectors(operator, sides, matching=matching, as_bool=as_bool)


def _matching(modifier: Any) -> Matching:
    said = modifier.matching if modifier else None
    if said is None:
        return Matching((), on=False)
    is_on = str(said.type).endswith("Include")
    matching = Matching(tuple(said.labels), on=is_on)
    card = str(modifier.card).rpartition(".")[2]
    if card in {"ManyToOne", "OneToMany"}:
        matching.many = "left" if card == "ManyToOne" else "right"
        matching.include = tuple(modifier.group_labels or ())
    return matching


def _aggregation(read: Any, inner: Inner) -> Made:
    name, modifier = str(read.op), read.modifier
    body = inner(read.expr)
    parameter = inner(read.param) if read.param is not None else None
    key = ("aggregation", name, str(modifier), body, parameter)
    return key, lambda: _folded(name, body, cut=_cut(modifier), parameter=parameter)


def _cut(modifier: Any) -> Cut:
    if modifier is None:
        return cut_of((), keeps=True)
    if str(modifier.type).endswith("By"):
        return cut_of(modifier.labels, keeps=True)
    return cut_of((*modifier.labels, NAME), keeps=False)


def _folded(name: str, body: Node, *, cut: Cut, parameter: Node | None) -> Aggregation:
    if name in FOLDS:
        return Fold(name, body, cut)
    if name in SOME and parameter:
        return Extremes(name, body, cut, parameter=parameter)
    if name == "quantile" and parameter:
        return Quantile(body, cut, parameter=parameter)
    if name == "count_values" and isinstance(parameter, Text):
        check_label(parameter.value)
        return CountValues(body, cut, label=parameter.value)
    raise UnsupportedError(f"{name}() is not supported")


def _call(read: Any, inner: Inner) -> Made:
    name, arguments = read.func.name, [inner(each) for each in read.args]
    return ("call", name, *arguments), lambda: call_of(name, arguments)


_BUILDERS: dict[str, Callable[[Any, Inner], Made]] = {
    "NumberLiteral": _number,
    "StringLiteral": _text,
    "UnaryExpr": _negation,
    "VectorSelector": _instant,
    "MatrixSelector": _range,
    "SubqueryExpr": _subquery,
    "BinaryExpr": _binary,
    "AggregateExpr": _aggregation,
    "Call": _call,
}
