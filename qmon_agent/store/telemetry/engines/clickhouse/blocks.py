"""A batch as blocks: of one table and one day each, so that a server takes all of one or nothing.

A block is bytes from then on: sent again after a crash, it is the same to the last byte.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from qmon_agent.store.telemetry.decoding import Batch
from qmon_agent.store.telemetry.engine import RefusedError
from qmon_agent.store.telemetry.schema import RESOURCES, TABLES, Table

MAX_DAYS = 400
"""Days of one kind in one batch: clocks gone wrong must not make thousands of blocks."""
PACKED = pa.ipc.IpcWriteOptions(compression="lz4", unify_dictionaries=True)


class Block(msgspec.Struct, frozen=True):
    """Rows of one table and one partition, as a stream of Arrow."""

    table: str
    part: str
    """Its day; empty where a table is not parted."""
    rows: int
    data: bytes


def blocks_of(batch: Batch, resources: pa.Table | None) -> tuple[Block, ...]:
    """Cut the batch; RefusedError if maps repeat a key, or the rows are of too many days."""
    for table in batch.tables.values():
        _check_keys(table)
        _check_days(table)
    blocks = [
        _block(TABLES[kind].name, part, rows)
        for kind, table in batch.tables.items()
        for part, rows in _by_day(table)
    ]
    if resources is not None:
        blocks.append(_block(RESOURCES.name, "", resources))
    return tuple(blocks)


def blocks_of_rows(table: Table, rows: pa.Table) -> Iterator[Block]:
    """Cut rows of one table that were stored before: the same rows make the same blocks."""
    if table is RESOURCES:
        yield _block(table.name, "", rows)
        return
    for part, each in _by_day(rows):
        yield _block(table.name, part, each)


def _block(table: str, part: str, rows: pa.Table) -> Block:
    sink = pa.BufferOutputStream()
    whole = rows.unify_dictionaries().combine_chunks()
    with pa.ipc.new_stream(sink, whole.schema, options=PACKED) as writer:
        writer.write_table(whole)
    return Block(table, part, rows.num_rows, sink.getvalue().to_pybytes())


def _by_day(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    if not table.num_rows:
        return
    days = _days(table)
    found = sorted(pc.unique(days).to_pylist())
    for day in found:
        rows = table if len(found) == 1 else table.filter(pc.equal(days, day))
        yield str(day // _DAY_NS), rows


_DAY_NS = 86_400 * 10**9


def _days(table: pa.Table) -> pa.ChunkedArray:
    return pc.floor_temporal(table["time"], unit="day").cast(pa.int64())


def _check_days(table: pa.Table) -> None:
    found = pc.count_distinct(_days(table)).as_py()
    if found > MAX_DAYS:
        raise RefusedError(f"rows of {found} days at once: a clock is wrong")


def _check_keys(table: pa.Table) -> None:
    """The server would keep both values, and answer the first; DuckDB refuses such maps too."""
    for name in table.column_names:
        if pa.types.is_map(table[name].type):
            for chunk in table[name].chunks:
                _check_map(name, chunk)


def _check_map(name: str, maps: pa.MapArray) -> None:
    start = maps.offsets[0].as_py() if len(maps) else 0
    end = maps.offsets[-1].as_py() if len(maps) else 0
    if end == start:
        return
    keys = maps.keys.slice(start, end - start).dictionary_encode()
    lists = pa.ListArray.from_arrays(maps.offsets, maps.keys)
    rows = pc.list_parent_indices(lists).cast(pa.int64())
    places = pc.add(pc.multiply(rows, len(keys.dictionary)), keys.indices.cast(pa.int64()))
    if pc.count_distinct(places).as_py() != len(places):
        raise RefusedError(f"{name} has the same key twice")
