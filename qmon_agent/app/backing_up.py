"""A backup of an agent that may be running: state, segments, and the journal up to one mark.

The order makes it consistent. The journal's files are held open first, so that nothing needed is
trimmed away; then come cursors, the state database and the list of segments, which know of nothing
behind the journal's end; then the journal's end is marked. Only after that is copied what takes
long. What the segments do not have yet is in that piece of the journal, as after a crash.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from qmon_agent.app.belongings import (
    CONFIG,
    DATABASE,
    JOURNALS,
    NOT_KEPT,
    SINGLE,
    STATE,
    TELEMETRY,
    Belongings,
)
from qmon_agent.app.vault import Backup, Kept, SetAside, Vault
from qmon_agent.domain.errors import StoreError
from qmon_agent.journal.segments import SegmentName
from qmon_agent.settings import Locations, load_settings
from qmon_agent.store.state import sqlite
from qmon_agent.store.telemetry import manifest as manifests

_ATTEMPTS = 20
_PAUSE_S = 0.1
_HELD = frozenset({".seg", ".idx"})
_BEING_WRITTEN = ".new"
Say = Callable[[str], None]


class _GoneError(Exception):
    """A segment was given up or joined with others while it was looked for."""


def back_up(locations: Locations, vault: Vault, *, keep: int, say: Say = lambda _: None) -> Backup:
    """Add a backup to the vault, of which the last `keep` stay; StoreError if it cannot be.

    `vault.spared` says which stay besides, for what the damage of segments has cost this one.
    """
    belongings = Belongings.of(locations, load_settings(locations.config))
    if not (locations.state / JOURNALS[0]).is_dir():
        raise StoreError(f"no agent and no state in {locations.state}")
    _refuse_inside(vault.folder, belongings)
    with vault.writing():
        backup = _Copying(belongings, locations.config, vault, say=say).copy()
        vault.commit(backup)
        vault.prune(keep)
    return backup


def _refuse_inside(folder: Path, own: Belongings) -> None:
    """What is backed up must not be lost together with its backup, nor grow by it."""
    for place in filter(None, (own.state, own.telemetry)):
        if folder.resolve().is_relative_to(place.resolve()):
            raise StoreError(f"{folder} is inside {place}, which it would be a backup of")


class _Copying:
    """One backup on its way into the vault."""

    def __init__(self, own: Belongings, config: Path | None, vault: Vault, *, say: Say) -> None:
        self._own = own
        self._config = config
        self._vault = vault
        self._say = say
        self._files: list[Kept] = []
        self._damaged: list[str] = []
        self._rows: Counter[str] = Counter()

    def copy(self) -> Backup:
        """Where something moved on under its hands, it begins again; what was copied stays."""
        for _ in range(_ATTEMPTS):
            with ExitStack() as held, suppress(_GoneError):
                return self._copy(held)
            time.sleep(_PAUSE_S)
        raise StoreError("segments and journal change faster than they can be copied")

    def _copy(self, held: ExitStack) -> Backup:
        self._files.clear()
        self._damaged.clear()
        self._rows.clear()
        began = time.time_ns()
        journals = [_HeldJournal(self._own.state / name, held) for name in JOURNALS]
        for path in self._small():
            self._keep_small(path)
        self._keep_config()
        self._database()
        telemetry = self._own.telemetry
        manifest = manifests.load(telemetry) if telemetry else None
        for path, descriptor, size in [each for one in journals for each in one.marked()]:
            self._say(f"journal {path.name}")
            name = str(path.relative_to(self._own.state))
            self._keep_open(STATE, name, descriptor, size=size)
        if telemetry and manifest:
            self._segments(telemetry, manifest)
        return Backup(
            name=time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + f"-{time.time_ns() % 10**9:09}",
            began=began,
            files=tuple(self._files),
            rows=dict(self._rows),
            damaged=tuple(self._damaged),
            set_aside=tuple(map(_set_aside, manifest.damaged)) if manifest else (),
            elsewhere=self._own.elsewhere,
        )

    def _small(self) -> Iterator[Path]:
        """Files that are replaced whole; those of the journals among them."""
        yield from (self._own.state / name for name in SINGLE)
        for name in JOURNALS:
            yield from _files_of(self._own.state / name, held=False)

    def _keep_small(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            content = path.read_bytes()
            self._add(STATE, str(path.relative_to(self._own.state)), content)

    def _keep_config(self) -> None:
        if self._config is not None:
            self._add(CONFIG, self._config.name, self._config.read_bytes())

    def _add(self, root: str, path: str, content: bytes) -> None:
        digest = self._vault.take_bytes(content)
        self._files.append(Kept(root=root, path=path, sha256=digest, bytes=len(content)))

    def _segments(self, directory: Path, manifest: manifests.Manifest) -> None:
        total = len(manifest.segments)
        for number, segment in enumerate(manifest.segments, 1):
            self._say(f"segment {number} of {total}")
            if self._segment(directory, segment):
                self._rows[segment.table] += segment.rows
                self._files.append(_kept(segment))
            else:
                self._damaged.append(segment.file)
        content = manifests.content_of(manifest.without(frozenset(self._damaged)))
        self._add(TELEMETRY, manifests.FILE, content)

    def _segment(self, directory: Path, segment: manifests.Segment) -> bool:
        """Whether it is kept. Where it is gone, the next list has what became of it."""
        if self._vault.holds(segment.sha256, segment.bytes):
            return True
        try:
            descriptor = os.open(directory / segment.file, os.O_RDONLY)
        except FileNotFoundError:
            if segment in manifests.load(directory).segments:
                return False
            raise _GoneError from None
        try:
            return bool(self._vault.take(descriptor, segment.bytes, sha256=segment.sha256))
        finally:
            os.close(descriptor)

    def _database(self) -> None:
        path = self._own.database
        if path is None or not path.exists():
            return
        self._say("state")
        copy = self._vault.folder / "state.part"
        copy.unlink(missing_ok=True)
        sqlite.backup(path, copy)
        descriptor = os.open(copy, os.O_RDONLY)
        try:
            self._keep_open(DATABASE, path.name, descriptor, size=copy.stat().st_size)
        finally:
            os.close(descriptor)
            copy.unlink()

    def _keep_open(self, root: str, path: str, descriptor: int, *, size: int) -> None:
        digest = self._vault.take(descriptor, size)
        if digest is None:
            raise StoreError(f"{path} changed while it was copied")
        self._files.append(Kept(root=root, path=path, sha256=digest, bytes=size))


class _HeldJournal:
    """The segments of a journal, open: what is trimmed meanwhile can be read all the same."""

    def __init__(self, directory: Path, held: ExitStack) -> None:
        self._directory = directory
        self._held = held
        self._open: dict[Path, int] = {}
        self._hold()

    def marked(self) -> list[tuple[Path, int, int]]:
        """Each file, and how far it goes at this moment; _GoneError if one is missing between."""
        last = max(self._numbers(), default=0)
        known = set(self._open)
        self._hold()
        fresh = [path for path in self._open if path not in known]
        if known and min(self._numbers(fresh), default=0) > last + 1:
            raise _GoneError
        return [(path, each, os.fstat(each).st_size) for path, each in sorted(self._open.items())]

    def _numbers(self, paths: Iterable[Path] | None = None) -> list[int]:
        named = (SegmentName.parse(path.name) for path in (self._open if paths is None else paths))
        return [name.number for name in named if name is not None]

    def _hold(self) -> None:
        for path in _files_of(self._directory, held=True):
            if path not in self._open:
                with suppress(FileNotFoundError):
                    self._open[path] = os.open(path, os.O_RDONLY)
                    self._held.callback(os.close, self._open[path])


def _files_of(directory: Path, *, held: bool) -> Iterator[Path]:
    """Of a journal: those that grow (`held`), or those that are replaced whole."""
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if name not in NOT_KEPT]
        for name in names:
            path = Path(folder, name)
            is_passing = name in NOT_KEPT or path.suffix == _BEING_WRITTEN
            if not is_passing and (path.suffix in _HELD) is held:
                yield path


def _kept(segment: manifests.Segment) -> Kept:
    return Kept(root=TELEMETRY, path=segment.file, sha256=segment.sha256, bytes=segment.bytes)


def _set_aside(segment: manifests.Segment) -> SetAside:
    return SetAside(file=segment.file, table=segment.table, day=segment.day, rows=segment.rows)
