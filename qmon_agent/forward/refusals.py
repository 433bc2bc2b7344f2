"""What a receiver has refused of late: counted by the minute, and forgotten by itself."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_SLOT_S = 60.0
_SLOTS = 10
# Of a hundred: a value that comes late now and then is no emergency, every twentieth is.
_MUCH = 5


class _Slot:
    """What was answered within one minute."""

    __slots__ = ("asked", "number", "refused")

    def __init__(self, number: int) -> None:
        self.number = number
        self.asked = self.refused = 0


class Refusals:
    """How much of what one sink was asked to take in the last ten minutes it did not take."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._slots: deque[_Slot] = deque(maxlen=_SLOTS)
        self._why = ""

    def tell(self, *, taken: int, refused: int, why: str) -> None:
        """Of one batch, when the answer is final."""
        slot = self._slot()
        slot.asked += taken + refused
        slot.refused += refused
        if refused:
            self._why = why

    @property
    def words(self) -> str:
        """How many lately, and why; nothing if nothing was refused."""
        asked, refused = self._lately()
        if not refused:
            return ""
        why = f": {self._why}" if self._why else ""
        return f"{refused} of {asked} signals were refused in the last 10 minutes{why}"

    @property
    def is_much(self) -> bool:
        """Whether it is so large a share that the sink does not do its work."""
        asked, refused = self._lately()
        return refused > 0 and refused * 100 >= asked * _MUCH

    def _lately(self) -> tuple[int, int]:
        oldest = self._minute() - _SLOTS
        recent = [slot for slot in self._slots if slot.number > oldest]
        return sum(slot.asked for slot in recent), sum(slot.refused for slot in recent)

    def _slot(self) -> _Slot:
        number = self._minute()
        if not self._slots or self._slots[-1].number != number:
            self._slots.append(_Slot(number))
        return self._slots[-1]

    def _minute(self) -> int:
        return int(self._now() // _SLOT_S)
