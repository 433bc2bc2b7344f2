"""Looking into the stream at any place: before the processors, behind each, or in the journal."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.errors import NotFoundError, nearest_to
from qmon_agent.ingest.chain import BEFORE
from qmon_agent.ingest.lots import Lot, Origin
from qmon_agent.ingest.passing import lots_of
from qmon_agent.journal import Position, Record
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import Resource, decode_frame
from qmon_sdk.protocol.signals import Signal, table_of

JOURNAL = "journal"
_MOST = 2_000
_FORGOTTEN_S = 15.0
_WHO = ("service", "release", "environment", "host")


class NoPlaceError(NotFoundError):
    """There is no such place to look at."""

    kind = "place"


class NoProcessorsError(NotFoundError):
    """A place among the processors, where there are none."""

    def __init__(self, place: str) -> None:
        """Say it in words of its own: no other spelling would help."""
        super().__init__(place)
        there = f"`--at {JOURNAL}` shows what comes in"
        self.args = (f"no processors are configured, so there is no {place!r}; {there}",)


class _Seen(msgspec.Struct, frozen=True, gc=False):
    """One signal that passed."""

    kind: str
    resource: Resource
    signal: Signal
    routes: tuple[str, ...]


class _Tap:
    """What passed one place lately; nobody waits for whoever looks."""

    def __init__(self) -> None:
        self.asked = time.monotonic()
        self.passed = 0
        self.seen: deque[_Seen] = deque(maxlen=_MOST)


class Taps:
    """Opened by being asked for, closed by not being asked for any more."""

    def __init__(
        self, *, places: Callable[[], Sequence[str]], watch: Callable[[bool], None]
    ) -> None:
        """`places` names the processors; `watch` turns showing on and off."""
        self._places = places
        self._watch = watch
        self._lock = threading.Lock()
        self._taps: dict[str, _Tap] = {}

    def read(self, place: str, after: int) -> dict[str, Any]:
        """What passed behind the number `after`, and the number to go on from."""
        names = self._places()
        known = (*((BEFORE, *names) if names else ()), JOURNAL)
        if place not in known and not names:
            raise NoProcessorsError(place)
        if place not in known:
            raise NoPlaceError(place, nearest_to(place, known) or known)
        with self._lock:
            tap = self._taps.setdefault(place, _Tap())
            tap.asked = time.monotonic()
            passed, seen = tap.passed, [*tap.seen]
        self._watch(True)
        new = min(max(0, passed - after), passed)
        shown = seen[max(0, len(seen) - new) :]
        return {
            "next": passed,
            "missed": new - len(shown),
            "rows": [row_of(one) for one in shown],
        }

    def look(self, place: str, lots: Sequence[Lot]) -> None:
        """From the processors' thread."""
        if (tap := self._taps.get(place)) is not None:
            self._pass(tap, lots)
        if place == BEFORE:
            self._close_forgotten()

    def committed(self, _: Position, records: Sequence[Record]) -> None:
        """On the loop, after each commit: frames are read only while somebody looks."""
        tap = self._taps.get(JOURNAL)
        if tap is None:
            return
        for record in records[-_MOST:]:
            try:
                frame = decode_frame(record.payload)
            except WireError:
                continue
            self._pass(tap, lots_of(frame, Origin()))
        self._close_forgotten()

    def _pass(self, tap: _Tap, lots: Sequence[Lot]) -> None:
        for lot in lots:
            try:
                signals = lot.signals
            except WireError:
                continue
            seen = [
                _Seen(lot.kind, lot.resource, signal, lot.routes.names)
                for signal in signals[-_MOST:]
            ]
            with self._lock:
                tap.passed += len(signals)
                tap.seen.extend(seen)

    def _close_forgotten(self) -> None:
        now = time.monotonic()
        with self._lock:
            for place in [p for p, tap in self._taps.items() if now - tap.asked > _FORGOTTEN_S]:
                del self._taps[place]
            is_idle = not {*self._taps} - {JOURNAL}
        if is_idle:
            self._watch(False)


def row_of(seen: _Seen) -> dict[str, Any]:
    """As a query shows the row of a table."""
    fields = {**seen.signal.as_dict(), "time": _moment(getattr(seen.signal, "time", 0))}
    who = {name: getattr(seen.resource, name) for name in _WHO}
    about = {"resource_attributes": dict(seen.resource.attributes), "routes": [*seen.routes]}
    return {"table": table_of(seen.kind), **fields, **who, **about}


def _moment(nanos: int) -> str:
    """ISO 8601 with nanoseconds; hostile times as they are."""
    try:
        at = datetime.fromtimestamp(nanos // SECOND, UTC)
    except (OverflowError, OSError, ValueError):
        return str(nanos)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{nanos % SECOND:09}"
