"""What other tools kept, brought in: through the spool, as if applications had written it there.

It comes in lots. The frames of a lot are the same whenever it is read: their process is named by
the lot, and their sequence counts them, so the journal keeps each once. A book in the state
directory knows what was taken: a lot is brought once, also much later.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import msgspec

from qmon_agent import durable
from qmon_agent.domain.errors import StoreError
from qmon_agent.domain.routing import spoken_by
from qmon_agent.ingest.foreign import speaker_by
from qmon_agent.settings import Locations
from qmon_agent.settings.claim import is_claimed
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.errors import OversizeError
from qmon_sdk.protocol.frames import (
    Frame,
    Resource,
    encode_frame,
    pack_length,
)
from qmon_sdk.protocol.signals import Signal
from qmon_sdk.protocol.spooled import ROTATE_BYTES, SUFFIX

BOOK = "imports.json"
_ROWS = 5_000
_OUTSTANDING = 48
"""Files that wait in the spool at most, each of a megabyte or so."""
_LOOK_S = 0.1
_PATIENCE_S = 120.0
_PART = ".part"
_OURS = "import-"
Group = tuple[Resource, Sequence[Signal]]
Say = Callable[[str], None]


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """What is brought as one piece, and known again by its key."""

    key: str
    parts: tuple[str, ...] = ()
    """What it is made of, each known by itself afterwards; it is known when all of them are."""
    span: tuple[int, int] = (0, 0)
    """From and until when its samples are, in milliseconds, if that tells lots apart."""
    groups: Callable[[], Iterable[Group]]
    """Reads it: always the same signals in the same order."""
    needs_before: bool = False
    """Whether the lot before is to be read first, though it is there already."""


class Brought(msgspec.Struct, kw_only=True):
    """What came of it."""

    signals: Counter[str] = msgspec.field(default_factory=Counter)
    """Kind → how many came now."""
    lots: int = 0
    known: int = 0
    """Lots that had been brought before."""
    left_out: Counter[str] = msgspec.field(default_factory=Counter)
    """Why → how many there are that no signal could be made of."""


class _Entry(msgspec.Struct, omit_defaults=True):
    frames: int = 0
    is_done: bool = False
    span: tuple[int, int] = (0, 0)


class Book:
    """Which lots were brought, and how much of one that was interrupted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, _Entry] = {}
        with suppress(FileNotFoundError):
            try:
                content = path.read_bytes()
                self._entries = msgspec.json.decode(content, type=dict[str, _Entry])
            except msgspec.MsgspecError as problem:
                raise StoreError(f"{path} cannot be read: {problem}") from None

    def knows(self, lot: Lot) -> bool:
        """Whether all of it was brought."""
        return all(map(self.is_done, lot.parts or (lot.key,)))

    def is_done(self, key: str) -> bool:
        return key in self._entries and self._entries[key].is_done

    def frames(self, key: str) -> int:
        """How many of a lot were taken before it was interrupted."""
        return self._entries[key].frames if key in self._entries else 0

    def span(self, key: str) -> tuple[int, int]:
        return self._entries[key].span

    def advance(self, lot: Lot, frames: int) -> None:
        self._entries[lot.key] = _Entry(frames)
        self._save()

    def finish(self, lot: Lot) -> None:
        """The lot is known from now on, and so are its parts."""
        self._entries.pop(lot.key, None)
        for key in lot.parts or (lot.key,):
            if not self.is_done(key):
                self._entries[key] = _Entry(is_done=True, span=lot.span)
        self._save()

    def _save(self) -> None:
        durable.replace(self._path, msgspec.json.encode(self._entries), mode=0o600)


def book_of(locations: Locations) -> Book:
    """The one beside the agent's state; StoreError if it is damaged."""
    return Book(locations.state / BOOK)


def bring(
    lots: Sequence[Lot],
    locations: Locations,
    *,
    left_out: Counter[str],
    say: Say = lambda _: None,
) -> Brought:
    """Bring what was not brought yet; StoreError if no agent takes it.

    `left_out` is what lots count into as they are read.
    """
    if not is_claimed(locations.lock):
        raise StoreError(f"no agent runs in {locations.state}; start one: it takes what is brought")
    book = book_of(locations)
    before, brought = None, Brought(left_out=left_out)
    for lot in lots:
        if book.knows(lot):
            brought.known += 1
            before = lot
            continue
        if lot.needs_before and before is not None:
            _read_only(before, left_out)
        before = None
        say(f"{lot.key}: {sum(brought.signals.values())} signals")
        _Passage(lot, locations.spool, book=book, brought=brought, say=say).bring()
        brought.lots += 1
    return brought


def _read_only(lot: Lot, left_out: Counter[str]) -> None:
    counted = left_out.copy()
    for _ in lot.groups():
        pass
    left_out.clear()
    left_out.update(counted)


class _Passage:
    """One lot on its way through the spool."""

    def __init__(self, lot: Lot, spool: Path, *, book: Book, brought: Brought, say: Say) -> None:
        self._lot = lot
        self._spool = spool
        self._book = book
        self._brought = brought
        self._say = say
        self._process = blake2b(f"import/{lot.key}".encode(), digest_size=16).digest()
        self._waiting: list[tuple[Path, int]] = []
        self._pieces: list[bytes] = []
        self._size = 0
        self._sequence = 0
        self._taken = book.frames(lot.key)

    def bring(self) -> None:
        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in self._spool.glob(f"{_OURS}*{_PART}"):
            left.unlink(missing_ok=True)
        for resource, signals in self._lot.groups():
            for start in range(0, len(signals), _ROWS):
                self._add(resource, signals[start : start + _ROWS])
        self._write()
        self._await(0)
        self._book.finish(self._lot)

    def _add(self, resource: Resource, signals: Sequence[Signal]) -> None:
        """As one frame, or as the halves of it that fit."""
        try:
            data = encode_frame(self._frame(resource, signals))
        except OversizeError:
            if len(signals) == 1:
                self._brought.left_out["oversize"] += 1
                return
            middle = len(signals) // 2
            self._add(resource, signals[:middle])
            self._add(resource, signals[middle:])
            return
        self._sequence += 1
        if self._sequence > self._taken:
            self._brought.signals.update(type(each).__name__.lower() for each in signals)
            self._put(data)

    def _frame(self, resource: Resource, signals: Sequence[Signal]) -> Frame:
        speaker = spoken_by(speaker_by("import", resource))
        return Frame(
            process=self._process,
            sequence=self._sequence + 1,
            sent=0,
            resource=resource,
            blocks=(*blocks_of(signals), speaker),
        )

    def _put(self, frame: bytes) -> None:
        self._pieces.append(pack_length(frame))
        self._size += len(frame)
        if self._size >= ROTATE_BYTES:
            self._write()
            self._await(_OUTSTANDING)

    def _write(self) -> None:
        if not self._pieces:
            return
        path = self._spool / f"{_OURS}{self._process.hex()}-{time.time_ns():020}{SUFFIX}"
        part = path.with_suffix(_PART)
        part.write_bytes(b"".join(self._pieces))
        durable.sync(part)
        part.rename(path)
        self._waiting.append((path, self._sequence))
        self._pieces, self._size = [], 0

    def _await(self, most: int) -> None:
        """Until no more than so many files wait for the agent, which deletes what it has kept."""
        until = time.monotonic() + _PATIENCE_S
        while len(self._waiting) > most:
            left = [(path, last) for path, last in self._waiting if path.exists()]
            if len(left) < len(self._waiting):
                until = time.monotonic() + _PATIENCE_S
                first = min((last for _, last in left), default=self._sequence + 1)
                done = [last for _, last in self._waiting if last < first]
                self._book.advance(self._lot, max([self._taken, *done]))
                self._say(f"{self._lot.key}: {sum(self._brought.signals.values())} signals")
            elif time.monotonic() > until:
                raise StoreError(f"the agent takes nothing from {self._spool}; see its log")
            self._waiting = left
            time.sleep(_LOOK_S if left else 0)
