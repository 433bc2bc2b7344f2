"""Sinks whose backend takes one message after another: a batch goes on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from qmon_agent.forward.batch import Batch

from . import Delivery


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Some bytes, how many signals they tell, and how many beside them cannot be told."""

    data: bytes
    rows: int = 1
    rejected: int = 0
    name: str = ""


class ResumingSink(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Gives `give` what `messages` makes; after trouble of the system's the rest is tried again."""

    _batch: str = ""
    _left: Any = None
    _next: Any = None
    _rows: int = 0
    _rejected: int = 0

    def messages(self, batch: Batch) -> Iterator[Message]:
        """The same ones each time."""
        raise NotImplementedError

    def give(self, message: Message) -> None:
        """Hand one over; raises OSError while that cannot be done."""
        raise NotImplementedError

    def end(self) -> None:
        """After the last one: whether all have gone, as far as that can be told; raises OSError."""

    def send(self, batch: Batch) -> Delivery:
        try:
            if batch.id != self._batch:
                self._left, self._rows, self._rejected = self.messages(batch), 0, 0
                self._next = next(self._left, None)
                self._batch = batch.id
            while self._next is not None:
                self.give(self._next)
                self._rows += self._next.rows + self._next.rejected
                self._rejected += self._next.rejected
                self._next = next(self._left, None)
            self.end()
        except OSError as error:
            self.close()
            return Delivery(outcome="retry", detail=f"{type(error).__name__}: {error}")
        except Exception:
            self._batch = ""
            raise
        self._batch = ""
        passed_over = max(0, batch.signals - self._rows)
        return Delivery(outcome="delivered", rejected=self._rejected, passed_over=passed_over)

    def close(self) -> None:
        """Lets go of the connection."""
        raise NotImplementedError
