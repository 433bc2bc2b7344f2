"""Reads a regular expression as RE2 writes it; what RE2 refuses is refused, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import msgspec

from qmon_agent.domain.errors import ConfigError

from . import characters
from .characters import ESCAPED_CHARACTERS, ESCAPED_CLASSES, NAMED_CLASSES, Range, Ranges

LONGEST = 1_000
"""Characters of one expression."""
MOST_REPEATS = 1_000
DEEPEST = 100
_QUANTIFIERS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_NOT_IN_RE2 = {
    "=": "looking ahead",
    "!": "looking ahead",
    ">": "an atomic group",
    "(": "a condition",
}
_HEX = "0123456789abcdefABCDEF"


class Node(msgspec.Struct, frozen=True):
    """A part of an expression."""


class Chars(Node, frozen=True):
    """One character of a set."""

    ranges: Ranges
    any_case: bool = False


class Edge(Node, frozen=True):
    """Nothing, at the start or at the end of the text."""

    at_start: bool


class Row(Node, frozen=True):
    """One after the other."""

    parts: tuple[Node, ...]


class Either(Node, frozen=True):
    """One of them."""

    parts: tuple[Node, ...]


class Repeat(Node, frozen=True):
    """So many times; `None`: as often as there are."""

    part: Node
    least: int
    most: int | None


class _Flags(msgspec.Struct, frozen=True):
    any_case: bool = False
    dot_all: bool = False


def parse_pattern(text: str) -> Node:
    """The expression as a tree; raises ConfigError."""
    if len(text) > LONGEST:
        raise ConfigError("", f"a regular expression of more than {LONGEST} characters")
    reading = _Reading(text)
    node = reading.either(_Flags())
    if not reading.is_done:
        reading.refuse("')' without '('")
    return node


class _Reading:
    """A place in the text, moving on."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._flags = _Flags()
        self._special: dict[str, Callable[[], Node | None]] = {
            "(": self._group,
            "[": lambda: Chars(self._class(), self._flags.any_case),
            "\\": self._escape,
            ".": self._any,
            "^": lambda: Edge(at_start=True),
            "$": lambda: Edge(at_start=False),
        }

    @property
    def is_done(self) -> bool:
        return self._at >= len(self._text)

    def refuse(self, reason: str) -> NoReturn:
        raise ConfigError("", f"{self._text!r} is no regular expression: {reason}")

    def either(self, flags: _Flags) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            self.refuse("too many groups inside each other")
        parts = [self._row(flags)]
        # Flags that are set inside a group hold to its end, beyond the next `|`.
        while self._takes("|"):
            parts.append(self._row(self._flags))
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _row(self, flags: _Flags) -> Node:
        self._flags = flags
        parts: list[Node] = []
        while not self.is_done and self._peek() not in "|)":
            if (part := self._part()) is not None:
                parts.append(self._repeated(part))
        return Row(tuple(parts))

    def _part(self) -> Node | None:
        character = self._next()
        if character in _QUANTIFIERS:
            self.refuse(f"nothing before {character!r}")
        special = self._special.get(character)
        return special() if special else self._literal(character)

    def _any(self) -> Chars:
        dot_all = self._flags.dot_all
        return Chars(characters.EVERY if dot_all else characters.ALL_BUT_LINE_ENDS)

    def _literal(self, character: str) -> Chars:
        return Chars(((ord(character), ord(character)),), self._flags.any_case)

    def _repeated(self, part: Node) -> Node:
        repeats = self._repeats()
        if repeats is None:
            return part
        self._takes("?")  # lazy or not: what fits as a whole is the same
        if self._peek() in tuple(_QUANTIFIERS) or self._counts() is not None:
            self.refuse("a repetition of a repetition")
        return Repeat(part, *repeats)

    def _repeats(self) -> tuple[int, int | None] | None:
        if (found := _QUANTIFIERS.get(self._peek())) is not None:
            self._at += 1
            return found
        if (counts := self._counts()) is None:
            return None
        least, most, self._at = counts
        if max(least, most or 0) > MOST_REPEATS or (most is not None and most < least):
            self.refuse(f"a repetition that is none, or of more than {MOST_REPEATS}")
        return least, most

    def _counts(self) -> tuple[int, int | None, int] | None:
        """`{2}`, `{2,}` or `{2,3}` and where it ends; anything else is a brace as such."""
        end = self._text.find("}", self._at)
        if self._peek() != "{" or end < 0:
            return None
        least, comma, most = self._text[self._at + 1 : end].partition(",")
        if not _is_number(least) or not (most == "" or _is_number(most)):
            return None
        upper = (int(most) if most else None) if comma else int(least)
        return int(least), upper, end + 1

    def _group(self) -> Node | None:
        before = self._flags
        inside = before
        if self._takes("?"):
            if self._takes("P<") or (self._peek() == "<" and self._peek(1) not in "=!"):
                self._name()
            else:
                flags, colon = self._set_flags()
                if not colon:
                    self._flags = flags
                    return None
                inside = flags
        node = self.either(inside)
        if not self._takes(")"):
            self.refuse("'(' without ')'")
        self._flags = before
        return node

    def _name(self) -> None:
        self._takes("<")
        end = self._text.find(">", self._at)
        name = self._text[self._at : end] if end >= 0 else ""
        if not (name.isascii() and name.replace("_", "a").isalnum()):
            self.refuse("a group whose name is none")
        self._at = end + 1

    def _set_flags(self) -> tuple[_Flags, bool]:
        if self._peek() == "<" or self._peek() in _NOT_IN_RE2:
            self.refuse(f"RE2 has not {_NOT_IN_RE2.get(self._peek(), 'looking behind')}")
        flags, on = self._flags, True
        while (character := self._next()) not in ("", ":", ")"):
            if character == "i":
                flags = msgspec.structs.replace(flags, any_case=on)
            elif character == "s":
                flags = msgspec.structs.replace(flags, dot_all=on)
            elif character == "-" and on:
                on = False
            elif character != "U":  # lazy and greedy exchanged: the same fits
                self.refuse(f"the flag {character!r} is not supported")
        if not character:
            self.refuse("'(' without ')'")
        return flags, character == ":"

    def _escape(self) -> Node:
        character = self._next()
        if character in ("A", "z"):
            return Edge(character == "A")
        if character in ESCAPED_CLASSES:
            return Chars(ESCAPED_CLASSES[character], self._flags.any_case)
        if character == "Q":
            return self._quoted()
        return self._literal(self._escaped(character))

    def _quoted(self) -> Node:
        end = self._text.find("\\E", self._at)
        text = self._text[self._at : end] if end >= 0 else self._text[self._at :]
        self._at = end + 2 if end >= 0 else len(self._text)
        if not text:
            return Row(())
        *whole, last = map(self._literal, text)
        return Row((*whole, self._repeated(last)))

    def _escaped(self, character: str) -> str:
        if character in ESCAPED_CHARACTERS:
            return ESCAPED_CHARACTERS[character]
        if character == "x":
            return self._by_number()
        if (
            not character
            or character.isalnum()
            or ord(character) > characters.NAMED_CLASSES["ascii"][0][1]
        ):
            self.refuse(f"the escape '\\{character}' is not supported")
        return character

    def _by_number(self) -> str:
        if self._takes("{"):
            end = self._text.find("}", self._at)
            digits = self._text[self._at : end] if end >= 0 else ""
            self._at = end + 1
        else:
            digits = self._text[self._at : self._at + 2]
            self._at += 2
            digits = digits if len(digits) > 1 else ""
        known = digits and all(each in _HEX for each in digits)
        if not known or int(digits, 16) > characters.LAST:
            self.refuse("'\\x' without a character's number")
        return chr(int(digits, 16))

    def _class(self) -> Ranges:
        negated = self._takes("^")
        ranges: list[Range] = []
        first = True
        while first or self._peek() != "]":
            if self.is_done:
                self.refuse("'[' without ']'")
            ranges += self._class_part()
            first = False
        self._at += 1
        if negated:
            return characters.all_but(self._folded(ranges))
        return characters.joined(ranges)

    def _folded(self, ranges: list[Range]) -> list[Range]:
        if not self._flags.any_case:
            return ranges
        both = [(low, high) for low, high in ranges]
        for low, high in characters.joined(ranges):
            for code in range(max(low, 65), min(high, 122) + 1):
                swapped = ord(chr(code).swapcase())
                both.append((swapped, swapped))
        return both

    def _class_part(self) -> Ranges:
        if self._takes("[:"):
            return self._named_class()
        if self._peek() == "\\" and self._peek(1) in ESCAPED_CLASSES:
            self._at += 2
            return ESCAPED_CLASSES[self._text[self._at - 1]]
        low = self._class_character()
        if self._peek() != "-" or self._peek(1) in ("]", ""):
            return ((ord(low), ord(low)),)
        self._at += 1
        high = self._class_character()
        if high < low:
            self.refuse(f"the range {low}-{high} is upside down")
        return ((ord(low), ord(high)),)

    def _class_character(self) -> str:
        character = self._next()
        return self._escaped(self._next()) if character == "\\" else character

    def _named_class(self) -> Ranges:
        end = self._text.find(":]", self._at)
        name = self._text[self._at : end] if end >= 0 else ""
        known = NAMED_CLASSES.get(name.removeprefix("^"))
        if known is None:
            self.refuse(f"there is no class {name!r}")
        self._at = end + 2
        return characters.all_but(known) if name.startswith("^") else known

    def _peek(self, ahead: int = 0) -> str:
        return self._text[self._at + ahead : self._at + ahead + 1]

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1 : self._at]

    def _takes(self, text: str) -> bool:
        found = self._text.startswith(text, self._at)
        self._at += len(text) if found else 0
        return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
