"""Reads matchers as people write them: `team=db`, `{severity=~"warn|crit", "my name"!="x"}`.

Alertmanager has two readers, the classic one and one for names in UTF-8. As there, both are tried:
what only one understands is what that one says, and where they differ, the classic one is right.
"""

from __future__ import annotations

import re
from typing import NoReturn

from qmon_agent.domain.errors import ConfigError

from .matchers import OPERATORS, Matcher, Matchers, Operator

Raw = tuple[str, Operator, str]
_CLASSIC = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*(.*?)\s*", re.DOTALL)
_SPACES = " \t\n\r\v\f"
_RESERVED = "{}!=~,\\\"'`"
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}
_GO_ESCAPES = {**_ESCAPES, "a": "\a", "b": "\b", "f": "\f", "r": "\r", "t": "\t", "v": "\v"}
_BY_NUMBER = {"x": 2, "u": 4, "U": 8}
_SURROGATES = range(0xD800, 0xE000)


def parse_matchers(text: str) -> Matchers:
    """All matchers of a text, in its order; raises ConfigError."""
    try:
        quoted = _quoted(text)
    except ConfigError as quoted_error:
        try:
            return _made(_classic(text))
        except ConfigError as classic_error:
            # The one that came further knows better what is wrong.
            raise (quoted_error if '"' in text[:2] else classic_error) from None
    try:
        classic = _classic(text)
    except ConfigError:
        return _made(quoted)
    return _made(classic)


def parse_matcher(text: str) -> Matcher:
    """The one matcher of a text; raises ConfigError when it is none, or several."""
    found = parse_matchers(text)
    if len(found) != 1:
        raise ConfigError("", f"{text!r} is {len(found)} matchers, not one")
    return found[0]


def parse_classic(text: str) -> Matchers:
    """As Alertmanager before 0.27: names of Prometheus, values with or without quotes."""
    return _made(_classic(text))


def parse_quoted(text: str) -> Matchers:
    """As Alertmanager from 0.27 on: any name and value, in quotes where they need it."""
    return _made(_quoted(text))


def _made(raw: list[Raw]) -> Matchers:
    # Only then: an expression that is refused must not be taken for another way of writing.
    return tuple(
        Matcher(name=name, operator=operator, value=value) for name, operator, value in raw
    )


def _classic(text: str) -> list[Raw]:
    inside = text.removeprefix("{").removesuffix("}")
    return [_one_classic(part) for part in _parts(inside)]


def _parts(text: str) -> list[str]:
    """Between commas that are not in quotes; nothing behind the last one is no part."""
    parts, start = [], 0
    in_quotes = escaped = False
    for at, character in enumerate(text):
        if character == "," and not in_quotes:
            parts.append(text[start:at])
            start = at + 1
        elif character == '"' and not escaped:
            in_quotes = not in_quotes
        escaped = character == "\\" and not escaped
    last = text[start:].strip()
    return [*parts, last] if last else parts


def _one_classic(text: str) -> Raw:
    found = _CLASSIC.fullmatch(text)
    if found is None:
        raise ConfigError("", f'{text!r} is no matcher (write for example team="db")')
    name, operator, value = found.groups()
    return name, _operator(operator), _unescaped(value, text)


def _unescaped(raw: str, text: str) -> str:
    quoted = raw.startswith('"')
    if quoted:
        raw = raw[1:]
        if _ends_open(raw):
            raise ConfigError("", f"{text!r} has a quote that does not end")
        raw = raw[:-1]
    value, escaped = "", False
    for at, character in enumerate(raw):
        if escaped:
            value += _ESCAPES.get(character, f"\\{character}")
            escaped = False
        elif character == "\\" and at < len(raw) - 1 + quoted:
            escaped = True
        elif character == '"':
            raise ConfigError("", f"{text!r} has a quote inside its value")
        else:
            value += character
    return value


def _ends_open(raw: str) -> bool:
    body = raw.removesuffix('"')
    slashes = len(body) - len(body.rstrip("\\"))
    return body == raw or slashes % 2 == 1


def _quoted(text: str) -> list[Raw]:
    reading = _Reading(text)
    braced = reading.takes("{")
    matchers: list[Raw] = []
    while reading.is_at_word:
        name = reading.word("a label's name")
        operator = reading.operator()
        matchers.append((name, _operator(operator), reading.word("a value")))
        if not reading.takes(","):
            break
    if braced and not reading.takes("}"):
        reading.refuse("the brace is not closed")
    reading.must_end()
    return matchers


def _operator(text: str) -> Operator:
    return next(each for each in OPERATORS if each == text)


class _Reading:
    """A place in a text, moving on from token to token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._skip()

    def refuse(self, reason: str) -> NoReturn:
        raise ConfigError("", f"{self._text!r}: {reason}, at character {self._at + 1}")

    @property
    def is_at_word(self) -> bool:
        here = self._text[self._at : self._at + 1]
        return bool(here) and (here == '"' or here not in _RESERVED)

    def takes(self, token: str) -> bool:
        found = self._text.startswith(token, self._at)
        if found:
            self._at += len(token)
            self._skip()
        return found

    def operator(self) -> str:
        found = next((each for each in ("=~", "!=", "!~", "=") if self.takes(each)), "")
        if not found:
            self.refuse("an operator is expected: =, !=, =~ or !~")
        return found

    def word(self, what: str) -> str:
        if not self.is_at_word:
            self.refuse(f"{what} is expected")
        quoted = self._text[self._at] == '"'
        found = self._quoted() if quoted else self._plain()
        self._skip()
        return found

    def must_end(self) -> None:
        if self._at < len(self._text):
            self.refuse("a comma or the end is expected")

    def _plain(self) -> str:
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in _RESERVED + _SPACES:
            self._at += 1
        return self._text[start : self._at]

    def _quoted(self) -> str:
        value = ""
        self._at += 1
        while (character := self._next()) != '"':
            if character in ("", "\n"):
                self.refuse("a quote that does not end")
            value += self._escape() if character == "\\" else character
        return value

    def _escape(self) -> str:
        character = self._next()
        if character in _GO_ESCAPES:
            return _GO_ESCAPES[character]
        digits = self._text[self._at : self._at + _BY_NUMBER.get(character, 0)]
        self._at += len(digits)
        try:
            code = int(digits, 16) if character in _BY_NUMBER else -1
        except ValueError:
            code = -1
        # A byte of its own, which `\x` stands for, is a character up to 127 only.
        if not 0 <= code <= (127 if character == "x" else 0x10FFFF) or code in _SURROGATES:
            self.refuse("an escape that is none")
        return chr(code)

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1 : self._at]

    def _skip(self) -> None:
        while self._text[self._at : self._at + 1] in tuple(_SPACES):
            self._at += 1
