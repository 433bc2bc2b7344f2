"""A file of one JSON document per line, for whoever follows or ships it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from qmon_agent import durable
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.routing import speaker_of
from qmon_agent.forward.batch import Batch, signals_of
from qmon_sdk.protocol.frames import Frame

from . import DELIVERED, Delivery

VERSION = 1
_TAIL_BYTES = 1 << 16


class FileSink(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Appends a line per signal to `path`; a batch counts as delivered when it is on disk."""

    path: str
    """The file, made if it is not there."""
    max_bytes: int = 100 << 20
    """A file that has so many becomes `PATH.1`, and a new one is begun; one batch may be over."""
    files: int = 5
    """How many full files are kept: `PATH.1`, the newest, to `PATH.5`; the oldest goes."""
    mode: int = 0o640
    """Permissions of a new file."""

    def __post_init__(self) -> None:
        if self.max_bytes < 1 or self.files < 0:
            wrong = "max_bytes" if self.max_bytes < 1 else "files"
            raise ConfigError(wrong, "a file has at least one byte, and none is kept fewer than 0")

    def send(self, batch: Batch) -> Delivery:
        """A full or missing disk is worth trying again: what was written of the batch is undone."""
        path = Path(self.path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._rotate(path)
            self._append(path, batch)
        except OSError as error:
            return Delivery(outcome="retry", detail=str(error))
        return DELIVERED

    def close(self) -> None:
        """Nothing is kept open between two batches, so others may move the file away."""

    def describe(self) -> Mapping[str, Any]:
        return {"path": self.path}

    def _rotate(self, path: Path) -> None:
        if not path.exists() or path.stat().st_size < self.max_bytes:
            return
        for number in range(self.files, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            newer = path if number == 1 else path.with_name(f"{path.name}.{number - 1}")
            if newer.exists():
                newer.replace(older)
        path.unlink(missing_ok=True)
        durable.sync(path.parent)

    def _append(self, path: Path, batch: Batch) -> None:
        is_new = not path.exists()
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        file = os.open(path, flags, self.mode)
        try:
            _write_all(file, batch)
        finally:
            os.close(file)
        if is_new:
            durable.sync(path.parent)


def _write_all(file: int, batch: Batch) -> None:
    end = _mended(file)
    try:
        for lines in _lines_of(batch):
            _write(file, lines)
        os.fsync(file)
    except OSError:
        os.ftruncate(file, end)
        raise


def _mended(file: int) -> int:
    """Cuts off a line that a kill has torn; answers where the file ends now."""
    end = whole = os.fstat(file).st_size
    while whole > 0:
        start = max(0, whole - _TAIL_BYTES)
        newline = os.pread(file, whole - start, start).rfind(b"\n")
        whole = start + newline + 1
        if newline >= 0:
            break
    if whole < end:
        os.ftruncate(file, whole)
    return whole


def _lines_of(batch: Batch) -> Iterator[bytes]:
    """The lines of each block; so much is in memory at once."""
    encoder, number = msgspec.json.Encoder(), count(1)
    for frame in batch.frames:
        resource = msgspec.Raw(encoder.encode(_resource_of(frame)))
        for kind, rows in signals_of(frame):
            about = {"version": VERSION, "batch": batch.id, "kind": kind, "resource": resource}
            # A list: of any other iterable, msgspec 0.22 never lets go of the iterator.
            yield encoder.encode_lines(
                [{**about, "line": next(number), "fields": row.as_dict()} for row in rows]
            )


def _resource_of(frame: Frame) -> dict[str, Any]:
    return {"process": speaker_of(frame).hex(), **frame.resource.as_dict()}


def _write(file: int, lines: bytes) -> None:
    rest = memoryview(lines)
    while rest:
        rest = rest[os.write(file, rest) :]
