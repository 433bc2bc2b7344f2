"""Regular expressions that fit a whole text in time proportional to it, whatever they are.

An expression becomes states of an automaton; sets of states are followed, and those that came up
are remembered, within a bound. There is no going back, and so no expression that takes for ever.
"""

from __future__ import annotations

from functools import lru_cache

from qmon_agent.domain.errors import ConfigError

from .characters import Ranges
from .pattern_text import Chars, Edge, Either, Node, Repeat, Row, parse_pattern

MOST_STATES = 5_000
_REMEMBERED = 4_000
_PATTERNS = 1_000

States = frozenset[int]


class Pattern:
    """One expression, ready."""

    def __init__(self, text: str) -> None:
        """Raises ConfigError for what is no expression, or one too large."""
        self.text = text
        self._steps: list[tuple[Chars | None, int]] = []  # on a character of these, to this state
        self._free: list[tuple[int, ...]] = []  # without any character, to these states
        self._edges: dict[int, tuple[bool, int]] = {}  # at the start (or end), to this state
        self._end = self._state()
        self._first = self._build(parse_pattern(text), self._end)
        self._begin = self._closed({self._first}, at_start=True)
        self._moves: dict[tuple[States, str], States] = {}

    def fits(self, value: str) -> bool:
        """Whether the whole value is one of those it describes."""
        states, moves = self._begin, self._moves
        for character in value:
            found = moves.get((states, character))
            states = self._moved(states, character) if found is None else found
            if not states:
                return False
        # An empty value has its start where it has its end.
        return self._end in self._closed(states, at_start=not value, at_end=True)

    def _moved(self, states: States, character: str) -> States:
        if len(self._moves) >= _REMEMBERED:
            self._moves.clear()
        targets = {
            target
            for chars, target in map(self._steps.__getitem__, states)
            if chars is not None and _has(chars, character)
        }
        found = self._moves[states, character] = self._closed(targets)
        return found

    def _closed(
        self, states: set[int] | States, *, at_start: bool = False, at_end: bool = False
    ) -> States:
        seen, todo = set(states), list(states)
        while todo:
            state = todo.pop()
            nexts = self._free[state]
            if (edge := self._edges.get(state)) is not None:
                nexts = (edge[1],) if (at_start if edge[0] else at_end) else ()
            for each in nexts:
                if each not in seen:
                    seen.add(each)
                    todo.append(each)
        return frozenset(seen)

    def _state(self, chars: Chars | None = None, to: int = 0, free: tuple[int, ...] = ()) -> int:
        if len(self._steps) >= MOST_STATES:
            raise ConfigError("", f"the regular expression {self.text[:80]!r} is too large")
        self._steps.append((chars, to))
        self._free.append(free)
        return len(self._steps) - 1

    def _build(self, node: Node, then: int) -> int:
        """States for a part, of which the last leads to `then`; the answer is the first."""
        if isinstance(node, Chars):
            return self._state(node, then)
        if isinstance(node, Edge):
            state = self._state()
            self._edges[state] = (node.at_start, then)
            return state
        if isinstance(node, Row):
            for part in reversed(node.parts):
                then = self._build(part, then)
            return then
        if isinstance(node, Either):
            return self._state(free=tuple(self._build(part, then) for part in node.parts))
        assert isinstance(node, Repeat)  # noqa: S101 - there are no other nodes
        return self._repeat(node, then)

    def _repeat(self, node: Repeat, then: int) -> int:
        if node.most is None:
            again = self._state()
            self._free[again] = (self._build(node.part, again), then)
            first = again
        else:
            first = then
            for _ in range(node.most - node.least):
                first = self._state(free=(self._build(node.part, first), then))
        for _ in range(node.least):
            first = self._build(node.part, first)
        return first


@lru_cache(_PATTERNS)
def pattern(text: str) -> Pattern:
    """The expression, made once; raises ConfigError."""
    return Pattern(text)


def _has(chars: Chars, character: str) -> bool:
    if _within(chars.ranges, ord(character)):
        return True
    if not chars.any_case:
        return False
    forms = {character.lower(), character.upper()}
    return any(len(form) == 1 and _within(chars.ranges, ord(form)) for form in forms)


def _within(ranges: Ranges, code: int) -> bool:
    return any(low <= code <= high for low, high in ranges)
