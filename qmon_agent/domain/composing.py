"""Expressions over names: `"a" and (b or c) unless d`, judged also where something is unknown.

`and` and `unless` bind more than `or`, as in PromQL, and from the left. The truth of the unknown is
Kleene's ("Introduction to Metamathematics", 1952, § 64): what would be the same whichever way the
unknown turns out is known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .errors import ConfigError

Truth = bool | None
Tree = Any
"""A name, or `(operator, left, right)`."""

_TOKEN = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|([()])|([^\s()"']+))""")
_WORDS = {"and", "or", "unless"}
_DEEPEST = 64


def parse(text: str) -> Tree:
    """The tree of an expression; raises ConfigError for what is none."""
    tokens = [*_tokens(text)]
    tree, rest = _either(tokens, 0)
    if rest:
        raise ConfigError("expression", f"{rest[0][1]!r} is one word too many")
    return tree


def names_in(tree: Tree) -> Iterator[str]:
    """The names it is about, in order."""
    if isinstance(tree, str):
        yield tree
        return
    yield from names_in(tree[1])
    yield from names_in(tree[2])


def circles(follows: Mapping[str, Collection[str]]) -> Iterator[tuple[str, ...]]:
    """Each way on which names lead back to themselves: the names in order, the first one last, too.

    `follows` says of each name which others it is about.
    """
    left = {name: {each for each in of if each in follows} for name, of in follows.items()}
    led_to_by: dict[str, list[str]] = {name: [] for name in left}
    for name, of in left.items():
        for each in of:
            led_to_by[each].append(name)
    # Whoever is about nobody that is left is on no circle: what remains leads into one.
    ends = [name for name, of in left.items() if not of]
    while ends:
        end = ends.pop()
        del left[end]
        for name in led_to_by[end]:
            left[name].discard(end)
            if not left[name]:
                ends.append(name)
    yield from _walked(left)


def _walked(left: Mapping[str, Collection[str]]) -> Iterator[tuple[str, ...]]:
    seen: set[str] = set()
    for start in left:
        way: dict[str, None] = {}
        name = start
        while name not in seen and name not in way:
            way[name] = None
            name = min(left[name])
        if name in way:
            names = [*way]
            yield (*names[names.index(name) :], name)
        seen.update(way)


def judged(tree: Tree, truths: Mapping[str, Truth]) -> Truth:
    """Whether it holds; a name nobody has heard of does not."""
    if isinstance(tree, str):
        return truths.get(tree, False)
    operator, left, right = tree[0], judged(tree[1], truths), judged(tree[2], truths)
    if operator == "or":
        return _both(left, right, decisive=True)
    if operator == "unless":
        right = None if right is None else not right
    return _both(left, right, decisive=False)


def _both(left: Truth, right: Truth, *, decisive: bool) -> Truth:
    if decisive in {left, right}:
        return decisive
    return None if None in {left, right} else not decisive


Token = tuple[str, str]
"""Its kind, a name or a word, and what it says."""


def _tokens(text: str) -> Iterator[Token]:
    at, text = 0, text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ConfigError("expression", f"cannot be read from {text[at:]!r} on")
        at = found.end()
        quoted, bracket, word = found[1] or found[2], found[3], found[4]
        is_word = bool(bracket) or word in _WORDS
        yield "word" if is_word else "name", quoted or bracket or word


def _either(tokens: list[Token], depth: int) -> tuple[Tree, list[Token]]:
    left, tokens = _each(tokens, depth)
    while tokens[:1] == [("word", "or")]:
        right, tokens = _each(tokens[1:], depth)
        left = ("or", left, right)
    return left, tokens


def _each(tokens: list[Token], depth: int) -> tuple[Tree, list[Token]]:
    left, tokens = _one(tokens, depth)
    while tokens and tokens[0] in {("word", "and"), ("word", "unless")}:
        operator = tokens[0][1]
        right, tokens = _one(tokens[1:], depth)
        left = (operator, left, right)
    return left, tokens


def _one(tokens: list[Token], depth: int) -> tuple[Tree, list[Token]]:
    if not tokens or depth > _DEEPEST:
        raise ConfigError("expression", "a name is missing" if not tokens else "is too deep")
    (kind, said), rest = tokens[0], tokens[1:]
    if kind == "name":
        return said, rest
    if said != "(":
        raise ConfigError("expression", f"a name is missing before {said!r}")
    tree, rest = _either(rest, depth + 1)
    if rest[:1] != [("word", ")")]:
        raise ConfigError("expression", "a bracket is not closed")
    return tree, rest[1:]
