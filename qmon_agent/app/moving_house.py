"""A telemetry store moved: into another directory, or into ClickHouse.

Into a directory every segment is checked, counted, and listed last; into ClickHouse every row is
sent, and both engines are asked for the same sums (`store.telemetry.emigrating`). It is for a
stopped agent. What the segments do not have yet is in the journal, which stays: the new store
takes it from there when the agent starts with it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from qmon_agent import durable
from qmon_agent.app.belongings import Belongings
from qmon_agent.domain.errors import StoreError
from qmon_agent.journal import records_behind
from qmon_agent.settings import Locations, load_settings
from qmon_agent.settings.claim import Claim
from qmon_agent.store.telemetry import TelemetryOptions, dialect_of, directory_of
from qmon_agent.store.telemetry import manifest as manifests
from qmon_agent.store.telemetry.engines.locking import LOCK, locked
from qmon_agent.store.telemetry.manifest import Manifest, Segment

_PART = ".part"
Say = Callable[[str], None]


class Moved(msgspec.Struct, kw_only=True):
    """What is in the other place now."""

    rows: dict[str, dict[str, int]] = {}
    """Table → day → rows, in segments whose checksums fit."""
    checksums: dict[str, dict[str, str]] = {}
    """The same of what the rows add up to, where another engine was asked for it."""
    segments: int = 0
    copied: int = 0
    """Of these, how many were not there yet."""
    left: dict[str, int] = {}
    """Table of rollups → rows that are not moved."""
    damaged: int = 0
    """Segments that had been set aside before."""
    waiting_records: int = 0
    """Records of the journal that are in no segment yet: the agent that starts brings them."""


def move(
    locations: Locations, target: str, *, password: str = "", say: Say = lambda _: None
) -> Moved:
    """Copy the store to `duckdb://DIR` or `clickhouse://...`; what is there already is not again.

    Raises AlreadyRunningError while an agent runs, ConfigError for another kind of address,
    StoreError for a damaged segment, which is named, or a place that has another's signals.
    """
    settings = load_settings(locations.config)
    own = Belongings.of(locations, settings)
    if own.telemetry is None:
        raise StoreError("the telemetry is in a database of its own, and not in files")
    claim = Claim(locations.lock)
    try:
        if dialect_of(target) == "duckdb":
            moved = _into_directory(own.telemetry, directory_of(target), say=say)
        else:
            options = TelemetryOptions(
                directory=str(own.telemetry),
                journal=str(locations.journal),
                address=target,
                password=password or settings.store.telemetry_password,
            )
            moved = _into_clickhouse(options, locations.state, say=say)
        exported = manifests.load(own.telemetry).exported.record_id
        moved.waiting_records = records_behind(locations.journal, exported)
        return moved
    finally:
        claim.release()


def _into_clickhouse(options: TelemetryOptions, state: Path, *, say: Say) -> Moved:
    from qmon_agent.store.telemetry.emigrating import emigrate

    found = emigrate(options, state, say=say)
    return Moved(
        rows={
            name: {day: each.rows for day, each in of.items()} for name, of in found.sums.items()
        },
        checksums={
            name: {day: each.checksum for day, each in of.items()}
            for name, of in found.sums.items()
        },
        segments=found.segments,
        copied=found.sent,
        left=dict(found.left),
        damaged=found.damaged,
    )


def _into_directory(here: Path, there: Path, *, say: Say) -> Moved:
    if there.resolve() == here.resolve():
        raise StoreError(f"{there} is where it is already")
    there.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(there / LOCK, wait_s=0):  # nobody's store while it is filled
        return _move(here, there, say=say)


def _move(here: Path, there: Path, *, say: Say) -> Moved:
    manifest, moved = manifests.load(here), Moved()
    _refuse_another(manifests.load(there), manifest, there)
    for number, segment in enumerate(manifest.segments, 1):
        say(f"segment {number} of {len(manifest.segments)}")
        moved.copied += _copied(here, there, segment)
    manifests.save(there, manifest)
    _verify(manifests.load(there), there)
    moved.segments = len(manifest.segments)
    moved.damaged = len(manifest.damaged)
    moved.rows = _rows(manifest)
    return moved


def _refuse_another(found: Manifest, ours: Manifest, there: Path) -> None:
    """A list that has what ours has not is of another store, or has gone on since."""
    known = {segment.sha256 for segment in ours.segments}
    if any(segment.sha256 not in known for segment in found.segments):
        raise StoreError(f"{there} has segments of its own: name a directory that is empty")


def _copied(here: Path, there: Path, segment: Segment) -> bool:
    """Whether it had to be copied; on the disk when this returns."""
    target = there / segment.file
    if target.exists() and durable.sha256_of(target) == segment.sha256:
        return False
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_name(target.name + _PART)
    try:
        with (here / segment.file).open("rb") as source, part.open("wb") as copy:
            while chunk := source.read(durable.CHUNK):
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
    except OSError as problem:
        raise StoreError(f"{segment.file} cannot be copied: {problem}") from None
    if durable.sha256_of(part) != segment.sha256:
        part.unlink()
        raise StoreError(f"{here / segment.file} is damaged: its checksum does not fit")
    part.rename(target)
    durable.sync(target.parent)
    return True


def _verify(manifest: Manifest, there: Path) -> None:
    """What Parquet itself says of its rows is what the list says."""
    import pyarrow.parquet as pq

    for segment in manifest.segments:
        rows = pq.read_metadata(there / segment.file).num_rows
        if rows != segment.rows:
            raise StoreError(f"{there / segment.file} has {rows} rows, not {segment.rows}")


def _rows(manifest: Manifest) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for segment in manifest.segments:
        found.setdefault(segment.table, Counter())[segment.day] += segment.rows
    return {table: dict(sorted(days.items())) for table, days in sorted(found.items())}
