"""Who sends how much: by sender, and by service; those longest silent are forgotten."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from qmon_sdk.protocol.columns import Block
from qmon_sdk.protocol.signals import SIGNALS

_MOST = 4_096
_OTHER = "other"  # kinds that we do not know, of which anybody can make up as many as there are


class Talker:
    """What one of them has sent since it was first heard."""

    __slots__ = ("bytes", "frames", "refused", "rejected", "signals")

    def __init__(self) -> None:
        self.frames = 0
        self.bytes = 0
        self.rejected = 0
        self.refused = 0
        self.signals: dict[str, int] = {}

    def book(self, size: int, blocks: Iterable[Block]) -> None:
        self.frames += 1
        self.bytes += size
        signals = self.signals
        for block in blocks:
            if block.rows:
                kind = block.kind if block.kind in SIGNALS else _OTHER
                signals[kind] = signals.get(kind, 0) + block.rows

    def describe(self) -> dict[str, Any]:
        return {
            "frames": self.frames,
            "bytes": self.bytes,
            "rejected": self.rejected,
            "refused": self.refused,
            "signals": dict(self.signals),
        }


class Talkers:
    """Counts on the loop; a frame costs two look-ups."""

    def __init__(self, *, most: int = _MOST) -> None:
        self._most = most
        self._peers: OrderedDict[str, Talker] = OrderedDict()
        self._services: OrderedDict[str, Talker] = OrderedDict()

    @property
    def peers(self) -> Mapping[str, Talker]:
        return self._peers

    @property
    def services(self) -> Mapping[str, Talker]:
        return self._services

    def heard(self, peer: str, service: str, *, size: int, blocks: Iterable[Block]) -> None:
        """A frame came that can be read."""
        self._one(self._peers, peer).book(size, blocks)
        self._one(self._services, service).book(size, blocks)

    def rejected(self, peer: str, size: int) -> None:
        """A message came that nobody can read, or that is too large."""
        talker = self._one(self._peers, peer)
        talker.rejected += 1
        talker.bytes += size

    def refused(self, peer: str) -> None:
        """A sender was told to come again later."""
        self._one(self._peers, peer).refused += 1

    def _one(self, known: OrderedDict[str, Talker], name: str) -> Talker:
        talker = known.get(name)
        if talker is None:
            talker = known[name] = Talker()
            if len(known) > self._most:
                known.popitem(last=False)
        known.move_to_end(name)
        return talker
