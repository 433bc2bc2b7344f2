"""What is on its way to the server, on the disk: so that nothing is lost or sent as another block.

A parcel is written here before its first block is sent, and taken away when the server has all of
them and the mark says so. After a crash the same bytes go out again under the same names, and the
server knows which of them it has.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from qmon_agent import durable
from qmon_agent.domain.errors import StoreError
from qmon_agent.journal import Position

from .blocks import Block
from .gone import Gone, brought
from .sealing import opened, sealed

FOLDER = "outgoing"
MARK = "mark"


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far the server has everything."""

    sender: str
    """Who sends: part of every block's name, so that two agents' blocks are never taken for one."""
    number: int = 0
    """Of the last parcel that arrived."""
    stored: Position = Position()


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """The blocks of one stretch of the journal, in the order in which they are sent."""

    number: int
    start: Position
    place: Position
    blocks: tuple[Block, ...]

    @property
    def rows(self) -> int:
        return sum(block.rows for block in self.blocks)


class Outgoing:
    """Owns the folder. One thread at a time."""

    def __init__(self, directory: Path, *, sender: str) -> None:
        self._folder = directory / FOLDER
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.damaged = 0
        self.waiting: list[Parcel] = []
        self.mark = _read_mark(self._folder / MARK) or Mark(sender=sender)
        self._write_mark()
        self._load()

    @property
    def taken(self) -> Position:
        """What lies before is with the server, or here on the disk."""
        return self.waiting[-1].place if self.waiting else self.mark.stored

    def put(self, blocks: tuple[Block, ...], place: Position) -> None:
        """Keep a parcel that is to be sent next."""
        last = self.waiting[-1].number if self.waiting else self.mark.number
        parcel = Parcel(number=last + 1, start=self.taken, place=place, blocks=blocks)
        durable.replace(self._path(parcel.number), sealed(msgspec.msgpack.encode(parcel)))
        self.waiting.append(parcel)

    def arrived(self) -> None:
        """The server has the first of those that wait."""
        parcel = self.waiting[0]
        self.mark = msgspec.structs.replace(self.mark, number=parcel.number, stored=parcel.place)
        self._write_mark()
        self.waiting.pop(0)
        self._path(parcel.number).unlink(missing_ok=True)

    def name_of(self, parcel: Parcel, block: Block) -> str:
        """What the server knows a block by."""
        return "-".join((self.mark.sender, str(parcel.number), block.table, block.part))

    def _write_mark(self) -> None:
        durable.replace(self._folder / MARK, sealed(msgspec.msgpack.encode(self.mark)))

    def _load(self) -> None:
        """A parcel that cannot be read, and those behind it, are made from the journal again."""
        for path in sorted(self._folder.glob("*.parcel")):
            parcel = _read_parcel(path)
            if parcel is not None and parcel.number <= self.mark.number:
                path.unlink()
            elif parcel is None or parcel.start != self.taken:
                self.damaged += 1
                path.unlink()
            else:
                self.waiting.append(parcel)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012}.parcel"


def begin_at(directory: Path, place: Position, *, sender: str, gone: Gone) -> None:
    """Have whoever sends next begin behind this place of the journal; on the disk at the return.

    `gone` are rows that came before the place, and are not there.

    Raises StoreError where somebody else has sent from here, or has sent since.
    """
    folder = directory / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / MARK
    found = _read_mark(path)
    if found is None or (not found.number and found.stored == Position()):
        found = Mark(sender=sender)
    if found.sender != sender or found.number or any(folder.glob("*.parcel")):
        raise StoreError(f"{folder} is of an agent that has kept signals in ClickHouse already")
    brought(folder, gone)
    mark = msgspec.structs.replace(found, stored=place)
    durable.replace(path, sealed(msgspec.msgpack.encode(mark)))


def arrived_of(directory: Path) -> Position:
    """Up to where the server has everything, as who sent last from here has written down."""
    with suppress(StoreError):
        if (found := _read_mark(directory / FOLDER / MARK)) is not None:
            return found.stored
    return Position()


def _read_mark(path: Path) -> Mark | None:
    try:
        return msgspec.msgpack.decode(opened(path.read_bytes()), type=Mark)
    except FileNotFoundError:
        return None
    except (ValueError, msgspec.DecodeError) as error:
        raise StoreError(
            f"{path} is damaged: it said how far the journal is in ClickHouse. Removed, the "
            "journal is sent from its beginning, and what had been sent of it is there twice"
        ) from error


def _read_parcel(path: Path) -> Parcel | None:
    try:
        return msgspec.msgpack.decode(opened(path.read_bytes()), type=Parcel)
    except (OSError, ValueError, msgspec.DecodeError):
        return None
