"""An answer as a file: CSV, NDJSON, Arrow or Parquet, written batch by batch in bounded memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
import pyarrow as pa

from qmon_agent.store.telemetry.plain import plain

GROUP_ROWS = 65_536
GROUP_BYTES = 8 << 20
"""Of Parquet: what is gathered before a group of rows is written."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would take for a formula."""

Batches = Iterable[pa.RecordBatch]
_encode = msgspec.json.Encoder().encode


def as_csv(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    """RFC 4180; a text that begins like a formula gets a `'` before it."""
    yield _lines([[_harmless(name) for name in schema.names]])
    for batch in batches:
        columns = [map(_cell, plain(column)) for column in batch.columns]
        yield _lines(zip(*columns, strict=True))


def as_ndjson(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    """One object a line."""
    for batch in batches:
        columns = [plain(column) for column in batch.columns]
        rows = zip(*columns, strict=True)
        yield b"".join(_encode(dict(zip(schema.names, row, strict=True))) + b"\n" for row in rows)


def as_arrow(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    """Arrow's stream format."""
    sink = _Sink()
    with pa.ipc.new_stream(sink.file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.drain()
    yield sink.drain()


def as_parquet(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    """Parquet, zstd."""
    import pyarrow.parquet as pq  # some megabytes, for those who ask

    sink = _Sink()
    with pq.ParquetWriter(sink.file, schema, compression="zstd") as writer:
        for table in _groups(schema, batches):
            writer.write_table(table)
            yield sink.drain()
    yield sink.drain()


FORMS: Mapping[str, Callable[[pa.Schema, Batches], Iterator[bytes]]] = {
    "csv": as_csv,
    "ndjson": as_ndjson,
    "arrow": as_arrow,
    "parquet": as_parquet,
}


class _Sink(io.RawIOBase):
    """Takes what Arrow writes until somebody fetches it."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self.file = pa.PythonFile(self, mode="w")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def drain(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _groups(schema: pa.Schema, batches: Batches) -> Iterator[pa.Table]:
    gathered: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        gathered.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield pa.Table.from_batches(gathered, schema)
            gathered, rows, size = [], 0, 0
    if gathered:
        yield pa.Table.from_batches(gathered, schema)


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _harmless(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else _encode(value).decode()


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
