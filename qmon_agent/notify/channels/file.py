"""A file of one JSON document per line, for whoever follows it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import ClassVar

import msgspec

from qmon_agent.notify.message import Message

from . import DELIVERED, Delivery

VERSION = 1


class FileChannel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Appends to `path`; a message counts as told when it is on disk."""

    path: str
    """The file, made if it is not there."""
    mode: int = 0o640
    """Permissions of a new file."""

    IS_LOG: ClassVar[bool] = True

    async def send(self, message: Message) -> Delivery:
        """A full or missing disk is worth trying again."""
        line = msgspec.json.encode({"version": VERSION, **msgspec.to_builtins(message)}) + b"\n"
        try:
            await asyncio.to_thread(self._append, line)
        except OSError as error:
            return Delivery(outcome="retry", detail=str(error))
        return DELIVERED

    def _append(self, line: bytes) -> None:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, self.mode)
        try:
            # One write: a reader never sees two lines mixed.
            if os.write(file, line) != len(line):
                raise OSError("only a part of the line was written")
            os.fsync(file)
        finally:
            os.close(file)
