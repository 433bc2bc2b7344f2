"""Rows that a server has no more and no age has taken: written down here, as it does not count.

What is about to be deleted is written before, and booked behind: killed in between, who begins
again finds how many rows there were.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

from qmon_agent import durable

from .sealing import opened, sealed

FILE = "gone"


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by table."""

    forgotten: Mapping[str, int] = {}
    """They were taken out because somebody asked to be forgotten; here, and before a move."""
    damaged: Mapping[str, int] = {}
    """They were in segments that were set aside before the move."""
    going: Mapping[str, int] = {}
    """`table/hash of a user` → rows that are being taken out."""


class GoneBook:
    """Owns the file; any thread. Raises OSError where the disk does not take it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._changing = threading.Lock()
        self.is_damaged = False
        self.gone = self._read()

    def begun(self, table: str, user: str) -> int:
        """How many rows of a user were about to be deleted when an agent was killed."""
        return self.gone.going.get(_key(table, user), 0)

    def begin(self, table: str, user: str, rows: int) -> None:
        """So many are about to be deleted."""
        self._change(going={**self.gone.going, _key(table, user): rows})

    def end(self, table: str, user: str) -> int:
        """They are deleted; how many that were."""
        rows, key = self.begun(table, user), _key(table, user)
        going = {each: n for each, n in self.gone.going.items() if each != key}
        forgotten = {**self.gone.forgotten, table: self.gone.forgotten.get(table, 0) + rows}
        self._change(going=going, forgotten=forgotten)
        return rows

    def _change(self, **fields: Mapping[str, int]) -> None:
        with self._changing:
            changed = msgspec.structs.replace(self.gone, **fields)
            durable.replace(self._path, sealed(msgspec.msgpack.encode(changed)))
            self.gone = changed

    def _read(self) -> Gone:
        """Damaged it is as none: the books then miss these rows, and say so."""
        try:
            return msgspec.msgpack.decode(opened(self._path.read_bytes()), type=Gone)
        except FileNotFoundError:
            return Gone()
        except (ValueError, msgspec.DecodeError):
            self.is_damaged = True
            return Gone()


def brought(folder: Path, gone: Gone) -> None:
    """Have the books go on with these rows, of a store that has been moved."""
    durable.replace(folder / FILE, sealed(msgspec.msgpack.encode(gone)))


def _key(table: str, user: str) -> str:
    return f"{table}/{hashlib.sha256(user.encode()).hexdigest()}"
