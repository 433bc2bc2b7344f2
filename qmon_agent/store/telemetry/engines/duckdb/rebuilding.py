"""A damaged segment made anew from the journal, where that still has what was in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from qmon_agent import durable
from qmon_agent.journal import Position
from qmon_agent.store.telemetry.decoding import Batch
from qmon_agent.store.telemetry.following import Follower
from qmon_agent.store.telemetry.manifest import Segment
from qmon_agent.store.telemetry.options import TelemetryOptions
from qmon_agent.store.telemetry.schema import BY_NAME, RESOURCES
from qmon_agent.store.telemetry.stretches import stretch_of

from . import limits
from .export import slices, write
from .hot import Generation, Hot
from .recovery import FILE
from .rewriting import edition_of, next_file

ROOM = "rebuilding"
BATCH_BYTES = 2 << 20


def rebuilt(options: TelemetryOptions, damaged: Segment) -> Segment | None:
    """The segment under its next name, on the disk; None if the journal does not have it all.

    What was written anew without somebody's rows is not made again: the journal may have them.
    """
    stretch = stretch_of(damaged.file)
    written_anew = edition_of(Path(damaged.file))[1]
    is_rollup = damaged.table not in BY_NAME
    if stretch is None or written_anew or is_rollup or damaged.reached == Position():
        return None
    directory = Path(options.directory)
    with _room(directory / ROOM) as room:
        connection = limits.connect(
            room / FILE, readable=room, memory_limit_mb=options.joining.memory_limit_mb, threads=1
        )
        with connection:
            stage = _Stage(Hot.create(connection, stretch.last, damaged.start))
            if not _read(options, stage, damaged.reached):
                return None
            generation = msgspec.structs.replace(stage.generation, reached=damaged.reached)
            for piece in slices(connection, generation, table=BY_NAME[damaged.table]):
                if (piece.day, piece.part) == (damaged.day, stretch.part) and (
                    piece.rows == damaged.rows or damaged.table == RESOURCES.name
                ):
                    made = write(connection, generation, piece=piece, parts=0, directory=room)
                    return _placed(room, made, damaged, directory=directory)
    return None


class _Stage:
    """As much of an engine as a follower needs."""

    def __init__(self, hot: Hot) -> None:
        self._hot = hot

    @property
    def generation(self) -> Generation:
        return self._hot.live

    @property
    def stored(self) -> Position:
        return self._hot.live.reached

    def append(self, batch: Batch, place: Position) -> None:
        self._hot.append(batch, place)


def _read(options: TelemetryOptions, stage: _Stage, until: Position) -> bool:
    """Read the stretch once more; whether all of it was there."""
    follower = Follower(Path(options.journal), stage, bury=lambda *_: None)
    try:
        while follower.follow(until, max_bytes=BATCH_BYTES):
            if follower.counts["missed_records"]:
                return False
    finally:
        follower.close()
    return stage.stored.record_id == until.record_id and not follower.counts["missed_records"]


def _placed(room: Path, made: Segment, damaged: Segment, *, directory: Path) -> Segment:
    file = next_file(damaged.file)
    (directory / file).parent.mkdir(parents=True, exist_ok=True)
    shutil.move(room / made.file, directory / file)
    durable.sync((directory / file).parent)
    kept = {"written": damaged.written, "unrolled": damaged.unrolled}
    return msgspec.structs.replace(made, file=file, **kept)


@contextmanager
def _room(room: Path) -> Iterator[Path]:
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)
