"""The condition `match`, which every processor has: which signals it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import translate
from typing import Any

import msgspec

from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError, nearest_to, raise_all
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import FIELDS, SIGNALS, Signal

from .known_words import WORDS, is_pattern, words_for

Texts = str | tuple[str, ...]
Test = Callable[[Signal], bool]
"""Whether one signal fits."""
Verdict = bool | Test
"""Of all signals of one speaker and kind: yes, no, or it depends on the signal."""

NAMES = {
    "span": "name",
    "error": "type",
    "event": "name",
    "point": "metric",
    "log": "template",
    "checkin": "monitor",
    "snapshot": "measure",
    "finding": "rule",
}
"""Kind of signal → the field that `name` is about."""
BODIES = {"log": "body", "error": "message", "finding": "message"}
_LEVELS = {"log": "level", "error": "level", "finding": "severity"}
PLACES = {kind: {field.name: n for n, field in enumerate(FIELDS[kind])} for kind in FIELDS}
"""Kind → field → its place in the signal."""
_REGEX = "~"
_REMEMBERED = 4_096
_SHORT = 256  # characters of a text worth remembering


class Match(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is said has to hold; what a kind of signal has not, does not hold for it.

    A text is a pattern in which `*` and `?` stand for anything, or, behind a `~`, a regular
    expression that is searched for; of a list, one has to fit.
    """

    kind: Texts = ()
    """Kinds of signals: `span`, `log`, ...; no patterns."""
    service: Texts = ()
    """Who speaks."""
    environment: Texts = ()
    """Where it speaks."""
    host: Texts = ()
    """On which machine."""
    name: Texts = ()
    """A span's or event's name, a point's metric, an error's type, a log's template, a monitor."""
    body: Texts = ()
    """What a log or an error says."""
    level: Texts = ()
    """How bad a log or an error is."""
    status: Texts = ()
    """How a span, a session or a check-in ended."""
    duration_above: str | float = ""
    """It took longer than this: `500ms`, `2s`."""
    duration_below: str | float = ""
    """It took less than this."""
    attributes: dict[str, str | bool | tuple[str, ...]] = {}
    """Attributes of the signal, else of who speaks; `true`: it is there, `false`: it is not."""
    any: tuple[Match, ...] = ()
    """Of these, one has to hold."""
    all: tuple[Match, ...] = ()
    """All of these have to hold."""
    not_: Match | None = msgspec.field(default=None, name="not")
    """This must not hold."""


EVERYTHING = Match()


class Matcher:
    """A condition made ready."""

    def __init__(self, match: Match, path: str = "match") -> None:
        """Raises ConfigError, one for each field that says nothing that can be meant."""
        raise_all([*_problems(match, path)])
        self._kinds = frozenset(_listed(match.kind))
        self._of_speaker = [
            (field, Pattern(patterns))
            for field in ("service", "environment", "host")
            if (patterns := getattr(match, field))
        ]
        self._of_signal: list[tuple[dict[str, str], Callable[[Any], bool]]] = [
            (fields, Pattern(patterns).fits)
            for fields, patterns in (
                (NAMES, match.name),
                (BODIES, match.body),
                (_LEVELS, match.level),
                (dict.fromkeys(SIGNALS, "status"), match.status),
            )
            if patterns
        ]
        self._of_signal += _durations(match)
        self._attributes = [_attribute(key, value) for key, value in match.attributes.items()]
        self._any = [Matcher(each, path) for each in match.any]
        self._all = [Matcher(each, path) for each in match.all]
        self._not = Matcher(match.not_, path) if match.not_ else None

    def of(self, resource: Resource, kind: str) -> Verdict:
        """What can be said before a signal is looked at, or the test of one."""
        if self._kinds and kind not in self._kinds:
            return False
        if not all(pattern.fits(getattr(resource, field)) for field, pattern in self._of_speaker):
            return False
        tests: list[Verdict] = [*self._tests(resource, kind)]
        tests += [each.of(resource, kind) for each in self._all]
        if self._any:
            tests.append(_any([each.of(resource, kind) for each in self._any]))
        if self._not is not None:
            tests.append(_not(self._not.of(resource, kind)))
        return _all(tests)

    def _tests(self, resource: Resource, kind: str) -> Iterator[Verdict]:
        places = PLACES.get(kind, {})
        for fields, fits in self._of_signal:
            place = places.get(fields.get(kind, ""))
            yield False if place is None else _field(place, fits)
        for test in self._attributes:
            yield test(places.get("attributes", -1), resource.attributes)


class Pattern:
    """A text, or some of which one has to fit; what was asked before is known."""

    def __init__(self, patterns: Texts) -> None:
        listed = _listed(patterns)
        # Of each alone: a flag in the one, as `(?i)`, says nothing about the others.
        self._search = [re.compile(_expression(each)).search for each in listed]
        self._known: dict[str, bool] = {}

    def fits(self, text: str) -> bool:
        known = self._known.get(text)
        if known is None:
            known = any(search(text) is not None for search in self._search)
            if len(text) <= _SHORT:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[text] = known
        return known


def _listed(texts: Texts) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else texts


def _expression(pattern: str) -> str:
    return pattern[1:] if pattern.startswith(_REGEX) else translate(pattern)


def _field(place: int, fits: Callable[[Any], bool]) -> Test:
    return lambda signal: fits(signal[place])


def _durations(match: Match) -> Iterator[tuple[dict[str, str], Callable[[Any], bool]]]:
    fields = dict.fromkeys(SIGNALS, "duration_ns")
    if match.duration_above != "":
        yield fields, parse_duration(match.duration_above).__lt__
    if match.duration_below != "":
        yield fields, parse_duration(match.duration_below).__gt__


def _attribute(
    key: str,
    wanted: str | bool | tuple[str, ...],  # noqa: FBT001 - a setting
) -> Callable[[int, Mapping[str, str]], Verdict]:
    """The signal's own comes before that of who speaks."""
    fits: Callable[[str], bool]
    fits = (lambda _: bool(wanted)) if isinstance(wanted, bool) else Pattern(wanted).fits
    absent = wanted is False

    def test(place: int, of_speaker: Mapping[str, str]) -> Verdict:
        value = of_speaker.get(key)
        otherwise = absent if value is None else fits(value)
        if place < 0:
            return otherwise

        def fits_signal(signal: Signal) -> bool:
            own = signal[place].get(key)
            return otherwise if own is None else fits(own)

        return fits_signal

    return test


def _all(verdicts: list[Verdict]) -> Verdict:
    if False in verdicts:
        return False
    tests = [each for each in verdicts if not isinstance(each, bool)]
    if len(tests) <= 1:
        return tests[0] if tests else True
    return lambda signal: all(test(signal) for test in tests)


def _any(verdicts: list[Verdict]) -> Verdict:
    return _not(_all([_not(each) for each in verdicts]))


def _not(verdict: Verdict) -> Verdict:
    if isinstance(verdict, bool):
        return not verdict
    return lambda signal: not verdict(signal)


def _problems(match: Match, path: str) -> Iterator[ConfigError]:
    yield from _bad_kinds(match.kind, f"{path}.kind")
    for field in ("service", "environment", "host", "name", "body", "level", "status"):
        yield from _bad_patterns(getattr(match, field), f"{path}.{field}")
    for field in WORDS:
        yield from _strange_words(field, match, path)
    for key, wanted in match.attributes.items():
        yield from _bad_patterns(
            () if isinstance(wanted, bool) else wanted, f"{path}.attributes.{key}"
        )
    for field in ("duration_above", "duration_below"):
        yield from _bad_duration(getattr(match, field), f"{path}.{field}")
    for field in ("any", "all"):
        for number, each in enumerate(getattr(match, field)):
            yield from _problems(each, f"{path}.{field}[{number}]")
    if match.not_ is not None:
        yield from _problems(match.not_, f"{path}.not")


def _bad_kinds(kinds: Texts, path: str) -> Iterator[ConfigError]:
    for kind in _listed(kinds):
        if kind not in SIGNALS:
            known = nearest_to(kind, SIGNALS) or tuple(SIGNALS)
            yield ConfigError(path, f"no such kind of signal: {kind!r}", known)


def _bad_patterns(patterns: Texts, path: str) -> Iterator[ConfigError]:
    for pattern in _listed(patterns):
        try:
            re.compile(_expression(pattern))
        except (re.error, RecursionError, OverflowError) as problem:
            yield ConfigError(path, f"{pattern!r} is no regular expression: {problem}")


def _strange_words(field: str, match: Match, path: str) -> Iterator[ConfigError]:
    known = words_for(field, _listed(match.kind))
    for word in _listed(getattr(match, field)):
        if word not in known and not is_pattern(word):
            reason = f"{word!r} is none of {', '.join(map(repr, known))}"
            own = f"; one of your own is said as '~^{word}$'"
            near = nearest_to(word, known)
            yield ConfigError(f"{path}.{field}", reason if near else reason + own, near)


def _bad_duration(text: str | float, path: str) -> Iterator[ConfigError]:
    try:
        parse_duration(text)
    except ValueError as problem:
        yield ConfigError(path, str(problem))
