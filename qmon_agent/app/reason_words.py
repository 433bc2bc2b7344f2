"""The reasons of transitions, which are for programs, in words for people."""

from __future__ import annotations

from collections.abc import Mapping

_WORDS: Mapping[str, str] = {
    "breach": "its condition holds",
    "breach_held": "its condition has held for as long as it says",
    "breach_returned": "its condition holds again",
    "clear": "its condition holds no more",
    "cleared": "its condition holds no more",
    "cleared_before_firing": "its condition did not hold for as long as it says",
    "known": "something is known again",
    "flapping": "it has begun and ended too often",
    "steady": "it has not changed for a while",
    "resolved_by_hand": "somebody ended it",
    "alert_removed": "its alert was taken out of the configuration",
    "ack_expired": "the acknowledgement is over",
    "snooze_ended": "it was put off until now",
    "channel_added": "who is told of it was not to be told before",
    "silence_ended": "the silence that kept people from hearing of it is over",
    "maintenance_ended": "the maintenance that kept people from hearing of it is over",
}
_BEGINNINGS: Mapping[str, str] = {
    "unknown": "nothing is known: {}",
    "unknown_fired": "nothing was known for too long, and it is told to fire then: {}",
    "unknown_resolved": "nothing was known for too long, and it is told to end then: {}",
    "severity_raised": "it got worse: {}",
    "severity_lowered": "it got better: {}",
    "flapping": "not told, as it flaps: {}",
}


def in_words(reason: str) -> str:
    """A sentence without its end; the reason itself where it is a word already."""
    kind, colon, rest = reason.partition(":")
    if colon and kind in _BEGINNINGS:
        return _BEGINNINGS[kind].format(_WORDS.get(rest, rest))
    return _WORDS.get(reason, reason)
