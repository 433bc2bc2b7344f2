"""Which of several places a sender's frames go to, and which places are away; all pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec

_SCORE_BYTES = 8
_FACTOR, _MOST_S = 2.0, 60.0


def ranked(sender: bytes, places: Iterable[str]) -> list[str]:
    """The places in the order in which this sender wants them: rendezvous hashing.

    Every agent with the same places comes to the same order. Without one of them, only its own
    senders move, and they spread over all that are left.
    """
    return sorted(places, key=lambda place: (_score(sender, place), place), reverse=True)


def _score(sender: bytes, place: str) -> bytes:
    return blake2b(place.encode(), key=sender[:64], digest_size=_SCORE_BYTES).digest()


class Absence(msgspec.Struct, frozen=True, kw_only=True):
    """A place that did not take what it was sent: until when it is left alone, and why."""

    until_s: float
    held_s: float
    why: str


class Presence:
    """Who is there. One that was away is tried again by itself, the later the more often it failed.

    Times are seconds of one clock that does not go back.
    """

    def __init__(self, places: Iterable[str], *, first_s: float) -> None:
        self.places = tuple(places)
        self._first_s = first_s
        self._absences: dict[str, Absence] = {}

    def present(self, now: float) -> list[str]:
        """Those that may be tried."""
        return [one for one in self.places if self._until(one) <= now]

    def missed(self, place: str, now: float, *, why: str, asked_s: float = 0.0) -> None:
        """It was tried in vain; `asked_s` is what it asked for itself."""
        before = self._absences.get(place)
        held_s = min(_MOST_S, before.held_s * _FACTOR) if before else self._first_s
        until_s = now + max(held_s, asked_s)
        self._absences[place] = Absence(until_s=until_s, held_s=held_s, why=why)

    def answered(self, place: str) -> None:
        self._absences.pop(place, None)

    def everybody_may_be_tried(self) -> None:
        """Where nobody is there: whoever calls has waited, and knows how long."""
        self._absences = {
            place: msgspec.structs.replace(one, until_s=0.0)
            for place, one in self._absences.items()
        }

    def states(self) -> Mapping[str, str]:
        """Of each place `ok`, or what was wrong when it was last tried."""
        return {
            one: self._absences[one].why if one in self._absences else "ok" for one in self.places
        }

    def _until(self, place: str) -> float:
        absence = self._absences.get(place)
        return absence.until_s if absence else 0.0
