"""The words that levels and statuses are said in: what is none of them would never fit."""

from __future__ import annotations

from collections.abc import Iterable

_OF_LOGS = ("trace", "debug", "info", "warn", "error", "fatal")
LEVELS = {
    "log": _OF_LOGS,
    # Whoever captures an error may say its level in words of its own.
    "error": (*_OF_LOGS, "warning", "critical"),
    "finding": ("info", "note", "low", "medium", "high", "warning", "error", "critical"),
}
"""Kind of signal → how bad it may be."""
STATUSES = {
    "span": ("unset", "ok", "error"),
    "session": ("healthy", "errored", "crashed", "abnormal"),
    "checkin": ("in_progress", "ok", "warning", "error", "unknown", "missed", "timeout"),
}
"""Kind of signal → how it may have ended."""
WORDS = {"level": LEVELS, "status": STATUSES}
_SIGNS = frozenset("*?[")


def words_for(field: str, kinds: Iterable[str]) -> tuple[str, ...]:
    """What signals of these kinds may say there; of no kind in particular, what any may."""
    known = WORDS[field]
    said = [known[kind] for kind in kinds if kind in known] or known.values()
    return tuple(dict.fromkeys(word for words in said for word in words))


def is_pattern(text: str) -> bool:
    """Whether it stands for more than itself: a word of one's own is said so, too."""
    return text.startswith("~") or not _SIGNS.isdisjoint(text)
