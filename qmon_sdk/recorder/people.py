"""People: the user and the session of a scope, by number, so that a row can refer to them."""

from __future__ import annotations

from itertools import count
from sys import getrefcount

from qmon_sdk.client import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class Who(int):
    """The number that stands for one user in one session; 0 stands for nobody."""

    user_id: str
    session_id: str

    def __new__(cls, number: int, user_id: str = "", session_id: str = "") -> Self:
        """Let a number stand for somebody."""
        made = super().__new__(cls, number)
        made.user_id, made.session_id = user_id, session_id
        return made


NOBODY = Who(0)
_numbers = count(1)


class People:
    """Everybody whom a scope, or a row that is in no frame yet, may refer to."""

    def __init__(self) -> None:
        self._known: dict[int, Who] = {}
        self._fading: list[int] = []

    def __getitem__(self, number: int) -> Who:
        return self._known.get(number, NOBODY)

    def meet(self, user_id: str, session_id: str) -> Who:
        """Give a user in a session a number, and tell the ring."""
        if not user_id and not session_id:
            return NOBODY
        who = Who(next(_numbers), user_id, session_id)
        self._known[int(who)] = who
        recorder = current().recorder
        if recorder is not None:
            recorder.introduce(who)
        return who

    def everybody(self) -> list[Who]:
        """List them, for a new ring."""
        return list(self._known.values())

    def forget(self) -> None:
        """Let go of those whom no scope holds any more; after a flush of all rows.

        Those found now go the next time: a row may still be on its way that refers to them.
        """
        for number in self._fading:
            self._known.pop(number, None)
        self._fading = _held_by_nobody(list(self._known.items()))


def _held_by_nobody(known: list[tuple[int, Who]]) -> list[int]:
    counts = _references(known)
    return [number for (number, _), n in zip(known, counts, strict=True) if n <= _UNUSED]


def _references(known: list[tuple[int, Who]]) -> list[int]:
    return [getrefcount(who) for _, who in known]


def _unused() -> int:
    """Count the references of somebody who is in a dictionary and nowhere else, as we ask."""
    kept = {1: Who(1)}
    return _references(list(kept.items()))[0]


_UNUSED = _unused()
PEOPLE = People()
