"""Journal payloads as record batches, one per kind of signal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import pyarrow as pa

from qmon_agent.domain.routing import routes_of, speaker_of
from qmon_sdk.protocol.columns import Block
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import Frame, decode_frame
from qmon_sdk.protocol.signals import FIELDS

from .arrays import TYPES, array_of, constant
from .known_labels import LABELS, KnownLabels
from .schema import PROCESS, RESOURCE, TABLES, Table
from .speakers import Speaker, speaker_in

SCHEMAS: dict[str, pa.Schema] = {
    kind: pa.schema([(column.name, TYPES[column.role]) for column in table.columns])
    for kind, table in TABLES.items()
}
"""Kind → the shape of its batches."""

MISSING = object()
KNOWN = KnownLabels()


class Rows(msgspec.Struct, frozen=True):
    """The rows of one frame, by kind, and who speaks in it."""

    kinds: dict[str, pa.RecordBatch]
    speaker: Speaker | None = None


class Batch(msgspec.Struct, frozen=True):
    """Rows to be stored together, by kind, and the last word of each process in them."""

    tables: dict[str, pa.Table]
    speakers: dict[str, Speaker] = {}

    @property
    def rows(self) -> int:
        return sum(table.num_rows for table in self.tables.values())


def decode(payload: bytes, tally: Counter[str]) -> Rows:
    """Read one frame; raises `ValueError` with the reason if any part of it cannot be read.

    Kinds and trailing columns of a newer writer are counted and skipped: the journal keeps them.
    """
    try:
        frame = decode_frame(payload)
    except WireError as error:
        raise ValueError(str(error)) from error
    found: dict[str, pa.RecordBatch] = {}
    for block in frame.blocks if routes_of(frame).store else ():
        table = TABLES.get(block.kind)
        if table is None:
            tally["skipped_rows"] += block.rows
        elif block.rows:
            found[block.kind] = _join(found.get(block.kind), _batch(frame, block, table))
            tally["newer_columns"] += max(0, len(block.columns) - len(FIELDS[block.kind]))
    return Rows(found, speaker_in(frame) if found else None)


def together(frames: Sequence[Rows]) -> Batch:
    """Many frames as one table per kind."""
    every = [frame.kinds for frame in frames]
    kinds = dict.fromkeys(kind for each in every for kind in each)
    return Batch(
        {
            kind: pa.Table.from_batches([each[kind] for each in every if kind in each])
            for kind in kinds
        },
        {frame.speaker.process: frame.speaker for frame in frames if frame.speaker},
    )


def _batch(frame: Frame, block: Block, table: Table) -> pa.RecordBatch:
    """The kind's own columns as they were sent, defaults for those an older writer did not know."""
    once = {each.name: getattr(frame.resource, each.name) for each in RESOURCE}
    once[PROCESS.name] = speaker_of(frame).hex()
    sent = iter(block.columns)
    arrays = []
    for column in table.columns:
        if column.name in once:
            arrays.append(constant(once[column.name], column.role, block.rows))
            continue
        written = next(sent, MISSING)
        if written is MISSING:
            arrays.append(constant(column.default, column.role, block.rows))
        elif column.role == LABELS and table is TABLES["point"]:
            arrays.append(KNOWN.read(written, block.rows))
        else:
            arrays.append(array_of(written, column.role, block.rows))
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMAS[block.kind])


def _join(before: pa.RecordBatch | None, batch: pa.RecordBatch) -> pa.RecordBatch:
    """A frame may say one kind in several blocks."""
    if before is None:
        return batch
    joined = pa.Table.from_batches([before, batch]).unify_dictionaries().combine_chunks()
    return joined.to_batches()[0]
