"""The list of segments, made anew from the segments themselves when it is damaged or gone.

Every segment says which generation it is of, how many segments that has, and which stretch of the
journal it holds. Only of the last generation may some be missing because its export was never
finished; of any other, those that are missing have expired.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import msgspec

from qmon_agent import durable
from qmon_agent.journal import Position
from qmon_agent.journal.segments import SegmentName, segments_in
from qmon_agent.store.telemetry import manifest as manifests
from qmon_agent.store.telemetry.manifest import DamagedManifestError, Manifest, Segment
from qmon_agent.store.telemetry.options import TelemetryOptions
from qmon_agent.store.telemetry.rollups import LISTED, ROLLUPS
from qmon_agent.store.telemetry.stretches import covered, stretch_of

from . import ddl
from .export import BOUNDS, FOLDER, MARKS, Mark
from .layout import MARK
from .rewriting import edition_of
from .rolled import Found, whole_rollups

ASIDE = "manifest.damaged"
UNREADABLE = "damaged-segments"

SHAPE = "SELECT * FROM read_parquet({target}) LIMIT 0"


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What there is, and what happened to make sure of it."""

    manifest: Manifest
    counts: Mapping[str, int] = {}


def open_listing(options: TelemetryOptions) -> Listing:
    """The list, for whoever writes: a damaged one is set aside, and its successor is saved."""
    directory = Path(options.directory)
    listing = read_listing(options)
    if listing.counts:
        with contextlib.suppress(FileNotFoundError):
            (directory / manifests.FILE).replace(directory / ASIDE)
        _put_unreadable_aside(directory, listing.manifest)
        manifests.save(directory, listing.manifest)
    return listing


def read_listing(options: TelemetryOptions) -> Listing:
    """The list, for whoever only reads; StoreError if it was written by a newer qmon."""
    directory = Path(options.directory)
    try:
        manifest = manifests.load(directory)
    except DamagedManifestError:
        return _made_anew(options)
    if manifest == Manifest() and next(_files(directory), None):
        return _made_anew(options)
    return Listing(manifest=manifest)


def _made_anew(options: TelemetryOptions) -> Listing:
    directory = Path(options.directory)
    paths = list(_files(directory))
    limit = f"{options.memory_limit_mb}MB"
    with duckdb.connect(config={"memory_limit": limit, "threads": options.threads}) as connection:
        found = [each for path in paths if (each := _look(connection, path, directory=directory))]
    counts = {"manifest_rebuilt": 1, "unreadable_segments": len(paths) - len(found)}
    manifest = _manifest(_last_editions(found), Path(options.journal))
    return Listing(manifest=manifest, counts=counts)


def _files(directory: Path) -> Iterator[Path]:
    return (directory / FOLDER).rglob("*.parquet")


def _last_editions(found: list[Found]) -> list[Found]:
    """Of a segment that was written anew, what can be read of it last."""
    newest: dict[Path, tuple[int, Found]] = {}
    for each in found:
        first, edition = edition_of(Path(each.segment.file))
        if first not in newest or newest[first][0] < edition:
            newest[first] = edition, each
    return [each for _, each in newest.values()]


def _look(connection: duckdb.DuckDBPyConnection, path: Path, *, directory: Path) -> Found | None:
    """What a segment says of itself; none if it is damaged, or no segment of ours."""
    target = ddl.text(str(path))
    try:
        marks = connection.execute(MARKS.format(target=target, key=ddl.text(MARK))).fetchall()
        mark = msgspec.json.decode(marks[0][0], type=Mark)
        rows, oldest, newest = connection.execute(BOUNDS.format(target=target)).fetchall()[0]
        shape = connection.execute(SHAPE.format(target=target)).description or ()
    except (duckdb.Error, msgspec.DecodeError, IndexError, OSError):
        return None
    if mark.table not in LISTED or rows != mark.rows:
        return None
    segment = Segment(
        file=str(path.relative_to(directory)),
        table=mark.table,
        day=mark.day,
        rows=rows,
        bytes=path.stat().st_size,
        sha256=durable.sha256_of(path),
        oldest=oldest,
        newest=newest,
        written=path.stat().st_mtime_ns,
        columns=tuple(column[0] for column in shape),
        width=mark.width,
        start=mark.start,
        reached=mark.reached,
        rolled=mark.rolled,
    )
    return Found(segment, mark)


def _manifest(found: list[Found], journal: Path) -> Manifest:
    """Everything that is exported for certain; what is not is in the journal still."""
    twice = covered([each.segment.file for each in found])
    found = whole_rollups([each for each in found if each.segment.file not in twice])
    if not found:
        return Manifest()
    last = max(each.mark.generation for each in found)
    newest = [each for each in found if each.mark.generation == last]
    reached, start = newest[0].mark.reached, newest[0].mark.start
    names = _journal_names(journal)
    if _is_half(newest) and names and names[0].first_id <= start.record_id + 1:
        # Its rows are read from the journal again: as rows that were exported, they would be twice.
        found = [each for each in found if each.mark.generation != last]
        reached, last = start, last - 1
    if reached.segment > max((name.number for name in names), default=0):
        reached = Position()  # the journal is another one
    return Manifest(
        exported=reached,
        generation=last,
        segments=tuple(each.segment for each in sorted(found, key=lambda each: each.segment.file)),
    )


def _is_half(generation: list[Found]) -> bool:
    """Say whether its export was never finished; what was joined, rolled up or thinned had been."""
    if not all(each.mark.parts for each in generation):
        return False
    if any(edition_of(Path(each.segment.file))[1] for each in generation):
        return False
    if any(each.segment.table in ROLLUPS for each in generation):
        return False
    marks = {(each.mark.parts, each.mark.start, each.mark.reached) for each in generation}
    return len(marks) > 1 or len(generation) != generation[0].mark.parts


def _journal_names(journal: Path) -> list[SegmentName]:
    try:
        return segments_in(path.name for path in journal.iterdir())
    except OSError:
        return []


def _put_unreadable_aside(directory: Path, manifest: Manifest) -> None:
    """A segment of a generation that is listed, and cannot be: kept for whoever can mend it."""
    listed = {segment.file for segment in manifest.segments}
    there = {str(path.relative_to(directory)) for path in _files(directory)}
    for file in there - listed - covered(listed | there):
        stretch = stretch_of(file)
        is_made_again = Path(file).parts[1] in ROLLUPS
        if stretch is not None and stretch.last <= manifest.generation and not is_made_again:
            put_aside(directory, file)


def aside_of(directory: Path, file: str) -> Path:
    """Where a damaged segment is kept."""
    _, table, day, name = Path(file).parts
    return directory / UNREADABLE / f"{table}-{day}-{name}"


def put_aside(directory: Path, file: str) -> None:
    """Move a segment to where nothing looks for rows; of one that is gone there is a name."""
    aside = aside_of(directory, file)
    aside.parent.mkdir(exist_ok=True)
    try:
        (directory / file).replace(aside)
    except FileNotFoundError:
        aside.touch()
