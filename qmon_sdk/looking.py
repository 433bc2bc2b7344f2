"""Looking at a text for what may be a secret: whether the patterns have to be asked at all."""

from __future__ import annotations

from .accelerator import speedups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


_DIGITS_ALONE = bytes(byte if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))  # noqa: PLR2004 - "0" to "9"


def holds(text: str, words: tuple[str, ...]) -> bool:
    """Say whether a text holds one of some words."""
    for word in words:  # noqa: SIM110 - a generator would cost as much as all the looking
        if word in text:
            return True
    return False


class PureNeedles:
    """Says of a text whether it holds one of some words."""

    __slots__ = ("_words",)

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words

    def __call__(self, text: str) -> bool:
        """Look for each."""
        return holds(text, self._words)


def needles(words: tuple[str, ...]) -> Callable[[str], bool]:
    """Make what says of a text whether it holds one of some words: in one pass, where it can."""
    if speedups is None or not all(word and word.isascii() for word in words):
        return PureNeedles(words)
    made: Callable[[str], bool] = speedups.Needles(words)
    return made


cards: Any = None if speedups is None else speedups.cards
"""Says of a text what the pattern `cards.HINT` does; `None` where the pattern has to be asked."""


def has_digits(text: str, count: int) -> bool:
    """Say whether so many digits may follow each other, without a pattern, or even `re`."""
    runs = text.encode("utf-8", "replace").translate(_DIGITS_ALONE, b" -").split()
    return max(map(len, runs), default=0) >= count


def has_mixtures(text: str, length: int) -> bool:
    """Say whether there may be a word of that length with small letters, capitals and digits."""
    if speedups is not None:
        found: bool = speedups.mixtures(text, length)
        return found
    return max(map(len, text.split()), default=0) >= length
