"""Secrets never leave the process: judged by the name they have, and by what they look like."""

from __future__ import annotations

from .known_secrets import (
    ADDRESS,
    DIGITS,
    NEEDLES,
    NEEDLES_OF_ANY,
    SHAPES,
    SHORTEST_SECRET,
    SHORTEST_TOKEN,
    hides_key,
    without_cards,
)
from .rendering import HIDDEN, cut, encodable, label, render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from re import Match, Pattern
    from typing import Any

    from .settings import Settings

MAX_LABELS = 256
MAX_QUERY = 2048
MAX_KEY = 200
MAX_WORD = 1024
_REMEMBERED = 4096
_SHORT = 256  # characters of a text worth remembering
_ROUNDS = 8  # what is left of two secrets may look like a third
_LARGE = 1 << 63  # the text of a larger number may take longer than it tells
_NUMBERS = frozenset({int, float, bool})
_CONTAINERS = frozenset({dict, list, tuple, set, frozenset})


class Remembered(dict[str, str]):
    """Texts that come again and again, worked out once; all forgotten when there are too many."""

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[str], str]) -> None:
        self._work = work

    def __missing__(self, text: str) -> str:
        done = self._work(text)
        if len(text) <= _SHORT:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[text] = done
        return done


class Scrubber:
    """Makes bounded copies in which what must stay secret reads `[scrubbed]`; mutates nothing.

    Scrubbing what was scrubbed changes nothing. The setting `scrub` turns it off (the bounds stay),
    or adds words that make a key secret; e-mail addresses are hidden unless `send_default_pii`.
    """

    def __init__(self, settings: Settings) -> None:
        scrub = settings.scrub
        self._is_on = bool(scrub)
        self._words = frozenset() if isinstance(scrub, bool) else frozenset(map(str.lower, scrub))
        self._limit = settings.max_value_length
        self._shapes = SHAPES if settings.send_default_pii else (*SHAPES, ADDRESS)
        self._keys: dict[Any, tuple[str, bool]] = {}  # as it is given → as it is kept, is it secret
        self.texts = Remembered(self.text)
        """A text → what of it may be kept."""
        self.queries = Remembered(self._query)
        """A query string → the same without what stands under the name of a secret."""
        self._compiled: dict[str, Pattern[str]] = {}

    def hides(self, key: str) -> bool:
        """Say whether what stands under this key is secret: a word of it decides."""
        return (self._keys.get(key) or self._met(key))[1]

    def text(self, text: str) -> str:
        """Hide what looks like a secret; at most `max_value_length` characters stay."""
        if not text.isascii() or len(text) > self._limit:
            text = cut(encodable(text), self._limit)
        if not self.is_suspect(text):
            return text
        try:
            for _ in range(_ROUNDS):
                before, text = text, cut(self._scrubbed(text), self._limit)
                if text == before:
                    return text
        except (ImportError, OSError):  # no file can be opened any more, not even that of `re`
            pass
        return HIDDEN  # nothing is better than half a secret

    def word(self, text: str) -> str:
        """Scrub a text of which there are few, such as a template."""
        return self.texts[cut(text, MAX_WORD)]

    def labels(self, mapping: Mapping[Any, Any]) -> dict[str, str]:
        """Write attributes as text to text; what is `None` or beyond the first 256 is left out."""
        labels: dict[str, str] = {}
        keys, texts = self._keys, self.texts
        for name, value in mapping.items():
            if value is None:
                continue
            if len(labels) == MAX_LABELS:
                break
            key, secret = keys.get(name) or self._met(name)
            kind = type(value)
            if secret:
                labels[key] = HIDDEN
            elif kind is str:
                labels[key] = texts[value]
            elif kind is float or (kind is int and -_LARGE < value < _LARGE):
                labels[key] = repr(value)  # as `value` does, without the price of three calls
            else:
                labels[key] = self.value(value)
        return labels

    def value(self, value: Any) -> str:
        """Write any value as text, without its secrets."""
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind in _NUMBERS:
            return label(value)
        if kind in _CONTAINERS:
            return self.text(render(value, self._limit, hides=self.hides))
        return self.text(label(value, self._limit))

    def _query(self, query: str) -> str:
        pairs = [pair.partition("=") for pair in query[:MAX_QUERY].split("&")]
        return "&".join(
            name + sign + (HIDDEN if value and self.hides(name) else value)
            for name, sign, value in pairs
        )

    def _met(self, name: Any) -> tuple[str, bool]:
        key = label(name, MAX_KEY)
        known = key, self._is_on and hides_key(key, self._words)
        if len(self._keys) < _REMEMBERED and type(name) is str:
            self._keys[name] = known
        return known

    def is_suspect(self, text: str) -> bool:
        """Say, quickly, whether there may be anything to hide in a text."""
        if not self._is_on or len(text) < SHORTEST_SECRET:
            return False
        lowered = text.lower()
        for needle in NEEDLES_OF_ANY:
            if needle in lowered:
                return True
        if len(text) < SHORTEST_TOKEN:
            return False
        for needle in NEEDLES:
            if needle in lowered:
                return True
        return self._pattern(DIGITS).search(text) is not None

    def _scrubbed(self, text: str) -> str:
        lowered = text.lower()
        for needles, pattern, instead in self._shapes:
            if any(needle in lowered for needle in needles):
                text = self._pattern(pattern).sub(instead, text)
        return self._pattern(DIGITS).sub(_hide_cards, text)

    def _pattern(self, source: str) -> Pattern[str]:
        pattern = self._compiled.get(source)
        if pattern is None:
            import re  # imported, and patterns compiled, by the first text that needs it

            pattern = self._compiled[source] = re.compile(source)
        return pattern


def _hide_cards(match: Match[str]) -> str:
    before = match.string[match.start() - 1 : match.start()]
    return without_cards(match[0], glued=before.isalnum() or before in {"_", ".", "-"})
