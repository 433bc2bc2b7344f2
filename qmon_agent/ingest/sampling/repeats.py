"""What is said again and again: the first passes, the last carries how often."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from qmon_agent.ingest.lots import Lot, made_lot
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Signal

from .keys import Key
from .marks import labelled

REPEATED = "qmon.repeated"
"""How many like it were left out, itself included."""
_ENTRY_BYTES, _LABEL_BYTES = 600, 100


class _Entry:
    """One content in one window, since it was said first."""

    __slots__ = ("count", "first_record", "last", "resource", "size", "window")

    def __init__(self, window: int, first_record: int) -> None:
        self.window = window
        self.first_record = first_record
        self.count = 0
        self.last: Signal | None = None
        self.resource = Resource()
        self.size = _ENTRY_BYTES


class Repeats:
    """Contents heard in the window of the clock that is now; the oldest end early for want of room.

    The windows are the clock's, so that a record that is read again, after a crash, finds itself
    in the same one, and what is told of it has the same name.
    """

    def __init__(self, within_ns: int, *, max_keys: int, max_bytes: int) -> None:
        self._within = max(within_ns, 1)
        self._max_keys = max(max_keys, 1)
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self.size = 0
        """Bytes held, about."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def holds(self) -> int | None:
        """The oldest record with something that was repeated since."""
        # They stand in the order of their records.
        return next((each.first_record for each in self._entries.values() if each.count), None)

    def is_new(self, key: Key, signal: Signal, lot: Lot) -> bool:
        """Whether nobody has said it lately; a repeat is counted."""
        place = blake2b(repr(key).encode("utf-8", "replace"), digest_size=16).digest()
        entry = self._entries.get(place)
        if entry is None:
            window = lot.origin.time // self._within
            entry = self._entries[place] = _Entry(window, lot.origin.record_id)
            self.size += entry.size
            return True
        entry.count += 1
        entry.resource = lot.resource
        self.size -= entry.size
        entry.last, entry.size = signal, _ENTRY_BYTES + _size_of(signal)
        self.size += entry.size
        return False

    def due(self, now: int) -> list[Lot]:
        """What was repeated in windows that are over by now, and in the oldest beyond the room."""
        told: list[Lot] = []
        while self._entries and (self._is_crowded() or self._first_window() < now // self._within):
            place, entry = self._entries.popitem(last=False)
            self.size -= entry.size
            if entry.last is not None:
                told.append(_told(place, entry, entry.last))
        return told

    def _first_window(self) -> int:
        return next(iter(self._entries.values())).window

    def _is_crowded(self) -> bool:
        return len(self._entries) > self._max_keys or self.size > self._max_bytes


def _told(place: bytes, entry: _Entry, last: Signal) -> Lot:
    signal = labelled(last, {REPEATED: str(entry.count)})
    name = b"/".join((b"repeated", place, str(entry.window).encode()))
    kind = type(last).__name__.lower()
    return made_lot(entry.resource, kind, [signal], name=name)


def _size_of(signal: Signal) -> int:
    size = 0
    for value in signal:
        if isinstance(value, str):
            size += len(value)
        elif isinstance(value, dict):
            size += sum(_LABEL_BYTES + len(str(each)) for each in value.values())
    return size
