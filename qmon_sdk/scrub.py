"""Secrets never leave the process: judged by the name they have, and by what they look like."""

from __future__ import annotations

from .accelerator import speedups
from .cards import CARDS_FROM, DIGITS, HINT, shown, without_cards
from .known_secrets import (
    ADDRESS,
    ADDRESSES,
    IN_URLS,
    NAMED_SHAPES,
    NEEDLES,
    NEEDLES_OF_NAMES,
    NEEDLES_WITH_A_LINE,
    PARAMETERS,
    SHAPES,
    SHORTEST_SECRET,
    SHORTEST_TOKEN,
    SIGNS,
    STATEMENTS,
    hides_key,
    phrase,
    shapes_of_own,
)
from .looking import cards, has_digits, holds, needles
from .rendering import HIDDEN, Renderer, cut, encodable, label, pairs_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from re import Match, Pattern
    from typing import Any

    from .known_secrets import Shape
    from .settings import Settings

    Rule = Callable[["Scrubber", Any, Any], str] | None
    """How a value is written because of its key; `None` as any is."""

MAX_LABELS = 256
MAX_QUERY = 2048
MAX_KEY = 200
MAX_WORD = 1024
_REMEMBERED = 4096
_SHORT = 256  # characters of a text worth remembering
_ROUNDS = 8  # what is left of two secrets may look like a third
# No file can be opened any more, not even that of `re`; or a signal came while it was imported.
_NO_PATTERNS = (AttributeError, ImportError, LookupError, OSError)
_LARGE = 1 << 63  # the text of a larger number may take longer than it tells
_CONTAINERS = frozenset({dict, list, tuple, set, frozenset})

_has_sign = needles(SIGNS)
_in_longer = needles(NEEDLES)
_with_a_line = needles(NEEDLES_WITH_A_LINE)


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


class Wanted:
    """The setting `scrub`, taken apart: `False`, words of keys, or a table of what else."""

    __slots__ = ("allowed", "is_on", "patterns", "phrases")

    def __init__(self, scrub: Mapping[str, Any] | Iterable[str] | bool) -> None:  # noqa: FBT001 - a setting
        self.is_on = bool(scrub) or scrub == ()
        table: Mapping[str, Any]
        if isinstance(scrub, dict):
            table = scrub
        else:
            table = {"keys": () if isinstance(scrub, bool) else scrub}
        self.phrases = tuple(filter(None, map(phrase, table.get("keys", ()))))
        self.patterns = tuple(table.get("patterns", ()))
        self.allowed = frozenset(map(str.lower, table.get("allow", ())))


class Scrubber:
    """Makes bounded copies in which what must stay secret reads `[scrubbed]`; mutates nothing.

    Scrubbing what was scrubbed changes nothing. The setting `scrub` turns it off (the bounds stay),
    adds keys and patterns, or exempts keys; e-mail addresses and the keys of where somebody is are
    hidden unless `send_default_pii`.
    """

    def __init__(self, settings: Settings, *, personal: bool = False) -> None:
        self._settings = settings
        self._wanted = wanted = Wanted(settings.scrub)
        self.is_on = wanted.is_on
        self._limit = settings.max_value_length
        self._keeps_people = personal or settings.send_default_pii
        own = shapes_of_own(wanted.phrases)
        self._names = needles(
            (*NEEDLES_OF_NAMES, *(needle for shape in own[:1] for needle in shape[0]))
        )
        self._bare = SHAPES if self._keeps_people else (*SHAPES, ADDRESS)
        self._shapes = (*NAMED_SHAPES, *own, *self._bare)
        self._keys: dict[Any, tuple[str, Rule]] = {}  # as it is given → as it is kept, and how
        self._people: Scrubber | None = None
        self._renderer = self.renderer(self._limit)
        self.texts = Remembered(self.text)
        """A text → what of it may be kept."""
        self._addresses = Remembered(self._address)
        self._compiled: dict[str, Pattern[str]] = {}
        if speedups is not None:  # the same by what is remembered, and by us for the rest
            quick: Any = speedups.Labels(self, self._keys, self.texts, self.labels)
            self.labels = quick  # type: ignore[method-assign]

    def about(self, person: Mapping[Any, Any]) -> dict[str, str]:
        """Write what was said of somebody on purpose: addresses stay, secrets do not."""
        if self._keeps_people:
            return self.labels(person)
        if self._people is None:
            self._people = Scrubber(self._settings, personal=True)
        return self._people.labels(person)

    def person(self, user_id: str) -> str:
        """Write who it is for as it was said, unless a card's number may be in it."""
        may_be_card = cards(user_id) if cards is not None else self._has_cards(user_id)
        if not self.is_on or not may_be_card:
            return user_id
        return self.about({"id": user_id})["id"]

    def hides(self, key: str) -> bool:
        """Say whether what stands under this key is secret: a word of it decides."""
        return (self._keys.get(key) or self._met(key))[1] is _hidden

    def renderer(self, limit: int) -> Renderer:
        """Make what writes values of any kind, without what stands under secret keys."""
        return Renderer(limit, self.hides, (self._keys, _hidden))

    def text(self, text: str) -> str:
        """Hide what looks like a secret; at most `max_value_length` characters stay."""
        return self._cleaned(text, self._shapes)

    def _cleaned(self, text: str, shapes: tuple[Shape, ...]) -> str:
        if not text.isascii() or len(text) > self._limit:
            text = cut(encodable(text[: self._limit + 1]), self._limit)
        if not self.is_suspect(text):
            return text
        try:
            for _ in range(_ROUNDS):
                before, text = text, cut(self._scrubbed(text, shapes), self._limit)
                if text == before:
                    return text
        except _NO_PATTERNS:
            pass
        return HIDDEN  # nothing is better than half a secret

    def word(self, text: str) -> str:
        """Scrub a text of which there are few, such as a template."""
        return self.texts[cut(text, MAX_WORD)]

    def labels(self, mapping: Mapping[Any, Any]) -> dict[str, str]:  # noqa: C901, PLR0912 - the hot path: a call would cost as much as the work
        """Write attributes as text to text; what is `None` or beyond the first 256 is left out."""
        labels: dict[str, str] = {}
        keys, texts = self._keys, self.texts
        try:
            for name, value in mapping.items() if type(mapping) is dict else pairs_of(mapping):
                if value is None:
                    continue
                if len(labels) == MAX_LABELS:
                    break
                key, rule = (type(name) is str and keys.get(name)) or self._met(name)
                kind = type(value)
                if rule is not None:
                    labels[key] = rule(self, value, mapping)
                elif kind is str and len(value) <= _SHORT:
                    labels[key] = texts[value]
                elif (kind is int or kind is float) and -_LARGE < value < CARDS_FROM:
                    labels[key] = repr(value)  # as `value` does, without the price of three calls
                else:
                    labels[key] = self.value(value)
        except RuntimeError as error:
            if type(error) is not RuntimeError:  # the stack is full
                raise
            return self.labels(dict(list(mapping.items())))  # another thread added to it
        return labels

    def value(self, value: Any) -> str:
        """Write any value as text, without its secrets."""
        kind = type(value)
        if kind is str:
            return self.text(value)
        if (kind is int or kind is float) and -_LARGE < value < _LARGE:
            return shown(value) if self.is_on else repr(value)
        if kind is bool:
            return label(value)
        if kind in _CONTAINERS:
            return self.text(self._renderer.text(value))
        return self.text(label(value, self._limit))

    def statement(self, value: Any, beside: Any = None) -> str:
        """Write a statement without its data; what is `beside` it may say which database asks."""
        from .sql_text import sanitized

        system = beside.get("db.system.name") if type(beside) is dict else None
        text = sanitized(value, system if type(system) is str else "")
        return self._cleaned(text, self._bare)  # after a name in it stands no value

    def address(self, value: Any, _: Any = None) -> str:
        """Write a URL, or the query of one, without its secrets."""
        is_usual = type(value) is str and len(value) <= _SHORT
        return self._addresses[value] if is_usual else self._address(value)

    def _address(self, value: Any) -> str:
        text = self.bounded(value)
        for _ in range(_ROUNDS):
            before = text
            place, sign, query = text.rpartition("?")
            query, hash_sign, fragment = query.partition("#")
            text = self.text(place + sign + self._query(query) + hash_sign + fragment)
            if text == before:
                return text
        return HIDDEN

    def _query(self, query: str) -> str:
        pairs = [pair.partition("=") for pair in query[:MAX_QUERY].split("&")]
        return "&".join(
            name + sign + (HIDDEN if value and self._hides_in_urls(name) else value)
            for name, sign, value in pairs
        )

    def _hides_in_urls(self, name: str) -> bool:
        is_theirs = name.lower() in IN_URLS and name.lower() not in self._wanted.allowed
        return self.is_on and (is_theirs or self.hides(name))

    def _met(self, name: Any) -> tuple[str, Rule]:
        key = label(name, MAX_KEY)
        known = key, self._rule(key) if self.is_on else None
        if len(self._keys) < _REMEMBERED and type(name) is str and len(name) <= MAX_KEY:
            self._keys[name] = known
        return known

    def _rule(self, key: str) -> Rule:
        """Say how what stands under a key is written, if not as any text is."""
        if key.lower() in self._wanted.allowed:
            return _as_it_is
        if key in STATEMENTS:
            return Scrubber.statement
        if key in ADDRESSES:
            return Scrubber.address
        is_secret = hides_key(key, self._wanted.phrases, personal=not self._keeps_people)
        return _hidden if is_secret or key.startswith(PARAMETERS) else None

    def bounded(self, value: Any) -> str:
        """Write a value as it is, as far as there is room."""
        return label(value, self._limit)

    def is_suspect(self, text: str) -> bool:
        """Say, quickly, whether there may be anything to hide in a text."""
        if not self.is_on or len(text) < SHORTEST_SECRET:
            return False
        lowered = text.lower()
        is_named = _has_sign(text) and self._names(lowered)
        if is_named or "@" in text or self._wanted.patterns:
            return True
        if len(text) < SHORTEST_TOKEN:
            return False
        if _in_longer(lowered) or ("_" in lowered and _with_a_line(lowered)):
            return True
        return cards(text) if cards is not None else self._has_cards(text)

    def _has_cards(self, text: str) -> bool:
        return has_digits(text, SHORTEST_TOKEN) and self._pattern(HINT).search(text) is not None

    def _scrubbed(self, text: str, shapes: tuple[Shape, ...]) -> str:
        lowered = text.lower()
        for words, pattern, instead in shapes:
            if holds(lowered, words):
                text = self._pattern(pattern).sub(instead, text)
        for pattern in self._wanted.patterns:
            text = self._pattern(pattern).sub(HIDDEN, text)
        return self._pattern(DIGITS).sub(_hide_cards, text)

    def _pattern(self, source: str) -> Pattern[str]:
        pattern = self._compiled.get(source)
        if pattern is None:
            import re  # imported, and patterns compiled, by the first text that needs it

            pattern = self._compiled[source] = re.compile(source)
        return pattern


def _hidden(*_: Any) -> str:
    return HIDDEN


def _as_it_is(scrubber: Scrubber, value: Any, _: Any) -> str:
    return scrubber.bounded(value)


def _hide_cards(match: Match[str]) -> str:
    before = match.string[match.start() - 1 : match.start()]
    return without_cards(match[0], glued=before.isalnum() or before in {"_", ".", "-"})
