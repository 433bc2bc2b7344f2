"""A folder of backups: every content once, under its checksum, and a list of files per backup.

A list is written last, whole, when all it names is on the disk: whatever ends a backup half way,
the lists that were there before are as good as they were.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from qmon_agent import durable
from qmon_agent.domain.errors import StoreError

VERSION = 1
_LISTS, _OBJECTS, _LOCK = "backups", "objects", "lock"
_PART = ".part"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a backup."""

    root: str
    """What it belongs to: `state`, `telemetry`, `database`, `config`."""
    path: str
    """Relative to that."""
    sha256: str
    bytes: int


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A segment that had been found to be damaged before the backup: its rows are not in it."""

    file: str
    table: str
    day: str
    rows: int


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """All that was there at one moment."""

    version: int = VERSION
    name: str
    began: int = 0
    """When it was begun: what was done behind that may not be in it; 0 in older lists."""
    files: tuple[Kept, ...]
    rows: dict[str, int] = {}
    """Table → rows in segments; what came last is in the journal besides."""
    damaged: tuple[str, ...] = ()
    """Segments that did not have the checksum they are listed with, and are left out."""
    set_aside: tuple[SetAside, ...] = ()
    """Segments whose damage was known before: what the backup has of others is whole."""
    elsewhere: tuple[str, ...] = ()
    """What is kept by another database, which has to be backed up there."""

    @property
    def lacking(self) -> frozenset[str]:
        """Segments whose rows are not in it, because they are damaged."""
        return frozenset((*self.damaged, *(each.file for each in self.set_aside)))

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


class Vault:
    """Backups in one folder; `writing` lets nobody else in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.copied = 0
        self.copied_bytes = 0
        self.spared: tuple[str, ...] = ()
        """Backups that stay beyond those that were to, as they may have what the last one lacks."""
        self._fresh: set[Path] = set()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make the folder if there is none; StoreError if it is something else, or in use."""
        _refuse_foreign(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StoreError(f"another backup into {self.folder} is running") from None
            for name in (_LISTS, _OBJECTS):
                (self.folder / name).mkdir(exist_ok=True, mode=0o700)
            yield

    def names(self) -> list[str]:
        """Of the backups that are complete, the oldest first."""
        try:
            return sorted(path.stem for path in (self.folder / _LISTS).glob("*.json"))
        except OSError as problem:
            raise StoreError(f"{self.folder}: {problem.strerror}") from None

    def load(self, name: str = "") -> Backup:
        """The one so named, or the last; StoreError if there is none or its list is damaged."""
        names = self.names()
        if not names or (name and name not in names):
            there = f"; there are {', '.join(names)}" if names else ""
            raise StoreError(f"no backup {name or 'at all'} in {self.folder}{there}")
        return self._read(self.folder / _LISTS / f"{name or names[-1]}.json")

    def holds(self, sha256: str, size: int) -> bool:
        """Whether this content is there, as far as its size tells."""
        try:
            return self._place(sha256).stat().st_size == size
        except OSError:
            return False

    def take(self, descriptor: int, size: int, *, sha256: str = "") -> str | None:
        """Keep the first bytes of a file; answers the checksum, None if it is not `sha256`.

        What is there already is not copied again.
        """
        if sha256 and self.holds(sha256, size):
            return sha256
        found = _sha256(descriptor, size)
        if sha256 and found != sha256:
            return None
        if self.holds(found, size):
            return found
        place = self._place(found)
        place.parent.mkdir(exist_ok=True, mode=0o700)
        if not _copied(descriptor, size, place, sha256=found):
            raise StoreError("a file changed while it was copied")
        self.copied, self.copied_bytes = self.copied + 1, self.copied_bytes + size
        self._fresh.add(place.parent)
        return found

    def take_bytes(self, content: bytes) -> str:
        """The same for what is in memory."""
        found = hashlib.sha256(content).hexdigest()
        if not self.holds(found, len(content)):
            place = self._place(found)
            place.parent.mkdir(exist_ok=True, mode=0o700)
            durable.replace(place, content, mode=0o600)
            self.copied, self.copied_bytes = self.copied + 1, self.copied_bytes + len(content)
        return found

    def give(self, kept: Kept, target: Path) -> None:
        """Copy a file out; StoreError if what is kept is not what was put in."""
        place = self._place(kept.sha256)
        try:
            descriptor = os.open(place, os.O_RDONLY)
        except OSError as problem:
            raise StoreError(f"the backup lacks {kept.path}: {problem}") from None
        try:
            is_good = _copied(descriptor, kept.bytes, target, sha256=kept.sha256)
        finally:
            os.close(descriptor)
        if not is_good:
            raise StoreError(f"the backup of {kept.path} is damaged: {place}")

    def is_sound(self, kept: Kept) -> bool:
        """Whether it is there, byte for byte."""
        place = self._place(kept.sha256)
        with suppress(OSError):
            return place.stat().st_size == kept.bytes and durable.sha256_of(place) == kept.sha256
        return False

    def commit(self, backup: Backup) -> None:
        """From now on this is the last backup."""
        for folder in (*self._fresh, self.folder / _OBJECTS):
            durable.sync(folder)
        self._fresh.clear()
        body = msgspec.json.encode(backup)
        head = f"sha256 {hashlib.sha256(body).hexdigest()}\n".encode()
        place = self.folder / _LISTS / f"{backup.name}.json"
        durable.replace(place, head + body, mode=0o600)

    def prune(self, keep: int) -> int:
        """Give up all but the last `keep` backups and what only they have; how many files.

        Where damage has cost the last one rows, the one that may have them stays, too.
        """
        names = self.names()
        needed = self._needed(names)
        self.spared = tuple(name for name in names[:-keep] if name in needed)
        for name in names[:-keep]:
            if name not in needed:
                (self.folder / _LISTS / f"{name}.json").unlink()
        wanted = {file.sha256 for name in self.names() for file in self.load(name).files}
        gone = [path for path in (self.folder / _OBJECTS).glob("*/*") if path.name not in wanted]
        for path in gone:
            path.unlink()
        return len(gone)

    def _needed(self, names: list[str]) -> set[str]:
        """Of each segment the last one lacks: who has it, or was made before it was damaged."""
        needed: set[str] = set()
        lacking = self.load(names[-1]).lacking if names else frozenset()
        older = [self.load(name) for name in reversed(names[:-1])] if lacking else []
        had = [(each.name, {file.path for file in each.files}, each.lacking) for each in older]
        for segment in lacking:
            has = [name for name, paths, _ in had if segment in paths]
            before = [name for name, _, lacked in had if segment not in lacked]
            needed.update((has or before)[:1])
        return needed

    def _place(self, sha256: str) -> Path:
        return self.folder / _OBJECTS / sha256[:2] / sha256

    def _read(self, path: Path) -> Backup:
        try:
            head, _, body = path.read_bytes().partition(b"\n")
            if head != f"sha256 {hashlib.sha256(body).hexdigest()}".encode():
                raise StoreError(f"{path} is damaged: its checksum does not fit")
            backup = msgspec.json.decode(body, type=Backup)
        except (OSError, msgspec.MsgspecError) as problem:
            raise StoreError(f"{path} cannot be read: {problem}") from None
        if backup.version > VERSION:
            raise StoreError(f"{path} was written by a newer qmon (version {backup.version})")
        return backup


def _refuse_foreign(folder: Path) -> None:
    """Other people's files are not for us to put ours between."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise StoreError(f"{folder} is no directory")
    if any(folder.iterdir()) and not (folder / _LOCK).exists():
        raise StoreError(f"{folder} is not empty, and no folder of backups")


def _sha256(descriptor: int, size: int) -> str:
    digest, offset = hashlib.sha256(), 0
    while chunk := os.pread(descriptor, min(durable.CHUNK, size - offset), offset):
        digest.update(chunk)
        offset += len(chunk)
    return digest.hexdigest()


def _copied(descriptor: int, size: int, target: Path, *, sha256: str) -> bool:
    """Whether the copy, on the disk when this returns, is what it should be; else there is none."""
    part = target.with_name(target.name + _PART)
    try:
        return _copied_by(part, descriptor, size, target=target, sha256=sha256)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _copied_by(part: Path, descriptor: int, size: int, *, target: Path, sha256: str) -> bool:
    digest, offset = hashlib.sha256(), 0
    with open(part, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        while chunk := os.pread(descriptor, min(durable.CHUNK, size - offset), offset):
            digest.update(chunk)
            file.write(chunk)
            offset += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    if offset != size or digest.hexdigest() != sha256:
        part.unlink()
        return False
    part.replace(target)
    return True
