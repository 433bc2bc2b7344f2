"""Secrets that nobody named: words too random for a person to have made them up."""

from __future__ import annotations

from .looking import has_mixtures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match, Pattern

SHORTEST = 20
LONGEST = 512
_LEAST_RANDOM = 0.5  # the share of a word that is in no run of letters or digits as people write

_patterns: list[Pattern[str]] = []


def without_random(text: str, instead: str) -> str:
    """Replace what looks drawn by lot; ids in hexadecimal digits, paths and names stay."""
    if len(text) < SHORTEST or not has_mixtures(text, SHORTEST):
        return text
    words, _ = _compiled()

    def judged(match: Match[str]) -> str:
        return instead if is_random(match[0]) else match[0]

    return words.sub(judged, text)


def is_random(word: str) -> bool:
    """Say whether a word mixes small letters, capitals and digits as nobody would."""
    if word.islower() or word.isupper() or not any(letter.isdigit() for letter in word):
        return False
    if not (any(map(str.islower, word)) and any(map(str.isupper, word))):
        return False
    return len(_compiled()[1].sub("", word)) >= _LEAST_RANDOM * len(word)


def _compiled() -> list[Pattern[str]]:
    if not _patterns:
        import re  # by the first text that is long enough

        edge = r"[\w+/=-]"
        words = rf"(?<!{edge})[A-Za-z0-9+/_=-]{{{SHORTEST},{LONGEST}}}+(?!{edge})"
        runs = r"[A-Z]?[a-z]{3,}|[A-Z]{4,}|[0-9]{4,}|[-_/+=]"
        _patterns[:] = re.compile(words), re.compile(runs)
    return _patterns
