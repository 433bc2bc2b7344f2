"""A backup put back: everything is copied and checked beside its place before any of it moves."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from qmon_agent import durable
from qmon_agent.app.belongings import (
    CONFIG,
    DATABASE,
    JOURNALS,
    SINGLE,
    STATE,
    TELEMETRY,
    Belongings,
)
from qmon_agent.app.brought_back import Requests, newer_than, requests_elsewhere, requests_in
from qmon_agent.app.vault import Backup, Kept, Vault
from qmon_agent.domain.errors import StoreError
from qmon_agent.settings import Locations, load_settings
from qmon_agent.settings.claim import Claim
from qmon_agent.store.state.sqlite import BESIDE

_STAGED = ".restoring"
Say = Callable[[str], None]


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    backup: Backup
    put_aside: tuple[str, ...] = ()
    """What was in its places before, and where it is now."""
    left: tuple[str, ...] = ()
    """What has no place here: a configuration where there is one, a database that is elsewhere."""
    forgotten_since: Requests | None = ()
    """Requests that are newer than what is back; None: where they are cannot be read."""


def restore(
    locations: Locations,
    vault: Vault,
    *,
    name: str = "",
    force: bool = False,
    say: Say = lambda _: None,
) -> Restored:
    """Put a backup where an agent's memory is; StoreError, with nothing changed, if it cannot be.

    Raises AlreadyRunningError if an agent runs there. What is there is refused, unless `force`:
    then it is put aside, and not deleted.
    """
    backup = vault.load(name)
    own = Belongings.of(locations, load_settings(locations.config))
    claim = Claim(locations.lock)
    try:
        places = _Places(own, has_config=locations.config is not None)
        asked = requests_in(own.database) if force else ()  # first: SQLite tidies up beside it
        occupied = [path for path in places.every() if path.exists()]
        if occupied and not force:
            there = ", ".join(map(str, occupied))
            raise StoreError(f"there is something already: {there}; --force puts it aside")
        staged, left = _stage(backup, vault, places, say=say)
        put_aside = _swap(staged, occupied)
        newer = newer_than(asked, requests_in(own.database)) if asked else asked
        if DATABASE in backup.elsewhere:
            newer = _newer_elsewhere(locations, backup)
        return Restored(backup=backup, put_aside=put_aside, left=left, forgotten_since=newer)
    finally:
        claim.release()


def _newer_elsewhere(locations: Locations, backup: Backup) -> Requests | None:
    """Its state stayed where it is; the configuration, which may have come back, says where."""
    config = locations.config or locations.state / "qmon.toml"
    section = load_settings(config if config.exists() else None).store
    if not section.state:
        return ()
    return requests_elsewhere(section.state, section.state_password, since=backup.began)


def check(vault: Vault, *, name: str = "", say: Say = lambda _: None) -> tuple[Backup, list[str]]:
    """A backup, and the files of it that are not as they were put in."""
    backup = vault.load(name)
    bad = []
    for number, kept in enumerate(backup.files, 1):
        say(f"file {number} of {len(backup.files)}")
        if not vault.is_sound(kept):
            bad.append(f"{kept.root}/{kept.path}")
    return backup, bad


class _Places:
    """Where each file of a backup belongs, and what moves as one piece."""

    def __init__(self, own: Belongings, *, has_config: bool) -> None:
        self._own = own
        self._has_config = has_config

    def piece_of(self, kept: Kept) -> tuple[Path, str] | None:
        """The file or folder that it is, or is in, and its path in that; None: no place here."""
        own = self._own
        if kept.root == DATABASE:
            return (own.database, "") if own.database else None
        if kept.root == TELEMETRY:
            return (own.telemetry, kept.path) if own.telemetry else None
        if kept.root == CONFIG:
            return None if self._has_config else (own.state / "qmon.toml", "")
        first, _, rest = kept.path.partition("/")
        return (own.state / first, rest) if kept.root == STATE else None

    def every(self) -> Iterator[Path]:
        """All pieces an agent's memory is made of."""
        own = self._own
        yield from (own.state / name for name in (*SINGLE, *JOURNALS))
        if own.telemetry is not None:
            yield own.telemetry
        if own.database is not None:
            yield from (own.database.with_name(own.database.name + end) for end in BESIDE)


def _stage(
    backup: Backup, vault: Vault, places: _Places, *, say: Say
) -> tuple[list[Path], tuple[str, ...]]:
    """Copy and check everything beside its place."""
    staged: dict[Path, None] = {}
    left = []
    try:
        for number, kept in enumerate(backup.files, 1):
            say(f"file {number} of {len(backup.files)}")
            found = places.piece_of(kept)
            if found is None:
                left.append(f"{kept.root}/{kept.path}")
                continue
            piece, rest = found
            if piece not in staged:
                _clear(_beside(piece))
                staged[piece] = None
            target = _beside(piece) / rest if rest else _beside(piece)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            vault.give(kept, target)
    except BaseException:
        for piece in staged:
            _clear(_beside(piece))
        raise
    return list(staged), tuple(left)


def _swap(staged: list[Path], occupied: list[Path]) -> tuple[str, ...]:
    """All at once, or, where the disk refuses, as it was."""
    aside = _aside(occupied)
    moved: list[tuple[Path, Path]] = []
    try:
        for old, new in [*aside, *((_beside(piece), piece) for piece in staged)]:
            old.rename(new)
            moved.append((old, new))
            durable.sync(new.parent)
    except OSError as problem:
        for old, new in reversed(moved):
            new.rename(old)
        for piece in staged:
            _clear(_beside(piece))
        raise StoreError(f"nothing is put back: {problem.filename}: {problem.strerror}") from None
    return tuple(str(away) for _, away in aside)


def _aside(occupied: list[Path]) -> list[tuple[Path, Path]]:
    """What is there, and as what it is kept: named by the moment, as no other moment's is."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    ends = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    named = (
        [path.with_name(f"{path.name}.before-{stamp}{end}") for path in occupied] for end in ends
    )
    free = next(names for names in named if not any(name.exists() for name in names))
    return [*zip(occupied, free, strict=True)]


def _beside(piece: Path) -> Path:
    return piece.with_name(piece.name + _STAGED)


def _clear(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
