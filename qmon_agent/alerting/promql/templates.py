"""The templates of Prometheus's annotations, as far as rules mostly go: labels, value, humanize."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

from .aggregation import written

_PIECE = re.compile(r"(?:\s*\{\{-(?=\s)|\{\{)\s*(.*?)\s*(?:(?<=\s)-\}\}\s*|\}\})", re.DOTALL)
_WORD = re.compile(
    r"""\s*(\||\$labels\.(\w+)|\.Labels\.(\w+)|\$externalLabels\.\w+|\$value|\.Value|"(?:\\.|[^"\\])*"|`[^`]*`|[\w.+-]+)"""
)
_LARGE = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")
_SMALL = ("", "m", "u", "n", "p", "f", "a", "z", "y")
_BINARY = ("", "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_SMALLEST, _LARGEST = 4, 6
"""Powers of ten between which no exponent is written."""
_KILO, _KIBI = 1000.0, 1024.0
_VERB = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[fgevsdq]")

Word = str | float


class TemplateError(ValueError):
    """A template that asks for more than is there."""


class FillingError(TemplateError):
    """A template that does not fit a value it was given; another may do."""


class Template:
    """Text with `{{ $labels.x }}`, `{{ $value | humanize }}` and their like in it."""

    def __init__(self, text: str) -> None:
        """Raises TemplateError for what cannot be filled in."""
        self._parts = _PIECE.split(text)
        self._filled = [_words(piece) for piece in self._parts[1::2]]
        with suppress(FillingError):
            self.render({}, 0.0)

    def render(self, labels: Mapping[str, str], value: float) -> str:
        """With these labels and this value; a label that is not there is empty."""
        filled = [_shown(_value(words, labels, value)) for words in self._filled]
        pieces = [*filled, ""]
        return "".join(plain + piece for plain, piece in zip(self._parts[::2], pieces, strict=True))


def _words(piece: str) -> list[re.Match[str]]:
    words, place = [], 0
    while place < len(piece):
        found = _WORD.match(piece, place)
        if found is None:
            raise TemplateError(f"{piece!r} cannot be filled in")
        words.append(found)
        place = found.end()
    return words


def _value(words: list[re.Match[str]], labels: Mapping[str, str], value: float) -> Word:
    """A pipeline: what each command makes is the last argument of the next."""
    made: list[Word] = []
    command: list[re.Match[str]] = []
    for word in [*words, None]:
        if word is not None and word[1] != "|":
            command.append(word)
            continue
        made = [_called(command, made, labels=labels, value=value)]
        command = []
    return made[0]


def _called(
    command: list[re.Match[str]], piped: list[Word], *, labels: Mapping[str, str], value: float
) -> Word:
    if not command:
        raise TemplateError("an empty command")
    name = command[0][1]
    if name in FUNCTIONS:
        given = [_argument(word, labels, value) for word in command[1:]] + piped
        try:
            return FUNCTIONS[name](*given)
        except (TypeError, ValueError, OverflowError, OSError) as problem:
            raise FillingError(f"{name}: {problem}") from None
    if len(command) > 1 or piped:
        raise TemplateError(f"{name!r} is not supported")
    return _argument(command[0], labels, value)


def _argument(word: re.Match[str], labels: Mapping[str, str], value: float) -> Word:
    said = word[1]
    if said in {"$value", ".Value"}:
        return value
    if said.startswith("$externalLabels."):
        return ""
    if label := word[2] or word[3]:
        return labels.get(label, "")
    if said[0] in '"`':
        return _quoted(said)
    try:
        return float(said)
    except ValueError:
        raise TemplateError(f"{said!r} is not supported") from None


def _quoted(said: str) -> str:
    if said[0] == "`":
        return said[1:-1]
    try:
        text: str = json.loads(said)
    except ValueError:
        raise TemplateError(f"{said} cannot be read") from None
    return text


def _shown(value: Word) -> str:
    return value if isinstance(value, str) else _whole(value)


def _whole(value: float) -> str:
    """With all its digits, as Go writes it: with an exponent from a million on."""
    if not math.isfinite(value):
        return written(value)
    sign, digits, _ = Decimal(repr(value)).normalize().as_tuple()
    power = Decimal(repr(value)).adjusted() if value else 0
    if -_SMALLEST <= power < _LARGEST:
        return ("-" if sign and not value else "") + _plain(value)
    first, *rest = map(str, digits)
    point = "." if rest else ""
    return f"{'-' if sign else ''}{first}{point}{''.join(rest)}e{power:+03d}"


def _plain(value: float) -> str:
    return written(value) if value else "0"


def _short(value: float) -> str:
    """Four digits of it."""
    return written(value) if not math.isfinite(value) else f"{value:.4g}"


def _humanize(value: Word) -> str:
    number = float(value)
    if number == 0 or not math.isfinite(number):
        return _short(number)
    if abs(number) >= 1:
        return _scaled(number, _KILO, _LARGE)
    place = 0
    while abs(number) < 1 and place < len(_SMALL) - 1:
        number, place = number * _KILO, place + 1
    return _short(number) + _SMALL[place]


def _humanize_1024(value: Word) -> str:
    number = float(value)
    small = abs(number) <= 1 or not math.isfinite(number)
    return _short(number) if small else _scaled(number, _KIBI, _BINARY)


def _scaled(number: float, step: float, units: tuple[str, ...]) -> str:
    place = 0
    while abs(number) >= step and place < len(units) - 1:
        number, place = number / step, place + 1
    return _short(number) + units[place]


def _humanize_percentage(value: Word) -> str:
    return _short(float(value) * 100) + "%"


def _humanize_duration(value: Word) -> str:
    number = float(value)
    if not math.isfinite(number):
        return _short(number)
    if 0 < abs(number) < 1:
        return _humanize(number) + "s"
    sign, whole = "-" if number < 0 else "", int(abs(number))
    minutes, hours, days = whole // 60 % 60, whole // 3600 % 24, whole // 86_400
    if whole < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{sign}{_short(abs(number))}s"
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (whole % 60, "s"))
    first = next(place for place, (count, _) in enumerate(parts) if count)
    return sign + " ".join(f"{count}{unit}" for count, unit in parts[first:])


def _humanize_timestamp(value: Word) -> str:
    number = float(value)
    if not math.isfinite(number):
        return _short(number)
    return f"{datetime.fromtimestamp(math.floor(number), UTC):%Y-%m-%d %H:%M:%S} +0000 UTC"


def _printf(template: Word, *values: Word) -> str:
    """With the verbs that Go and Python write alike; `%v` shows a value as it is."""
    left = list(values)

    def fill(found: re.Match[str]) -> str:
        if not left:
            raise ValueError("more verbs than values")
        value, verb = left.pop(0), found[0]
        if verb[-1] in "vs":
            return (verb[:-1] + "s") % _shown(value)
        if verb[-1] == "q":
            return json.dumps(_shown(value))
        return verb % (int(value) if verb[-1] == "d" else float(value))

    return _VERB.sub(fill, str(template)).replace("%%", "%")


FUNCTIONS: dict[str, Callable[..., Word]] = {
    "humanize": _humanize,
    "humanize1024": _humanize_1024,
    "humanizePercentage": _humanize_percentage,
    "humanizeDuration": _humanize_duration,
    "humanizeTimestamp": _humanize_timestamp,
    "printf": _printf,
    "print": lambda *values: " ".join(map(_shown, values)),
    "toUpper": lambda text: _shown(text).upper(),
    "toLower": lambda text: _shown(text).lower(),
    "title": lambda text: _shown(text).title(),
    "stripPort": lambda text: re.sub(r":\d+$", "", _shown(text)),
}
