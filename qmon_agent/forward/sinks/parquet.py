"""Parquet files by kind and day, for DuckDB, Spark and pandas; needs `qmon[store]`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from qmon_agent import durable
from qmon_agent.domain.bounds import Bytes
from qmon_agent.forward.batch import Batch
from qmon_agent.forward.pace import Pace
from qmon_sdk.protocol.frames import encode_frame

from . import Delivery

if TYPE_CHECKING:
    import pyarrow as pa

_DAY_NS = 86_400_000_000_000


class ParquetSink(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`DIRECTORY/kind=span/day=2026-01-31/BATCH.parquet`, whole or not there at all.

    A file is named after its batch: one that comes again writes the same files once more. The
    columns are those of the tables.
    """

    directory: str
    """Where the folders are; made if it is not there."""
    compression: Literal["zstd", "snappy", "gzip", "none"] = "zstd"
    """How columns are packed."""
    wait_s: float = 60.0
    """How long a file waits for more; the journal holds it meanwhile."""
    batch_bytes: Bytes = 4 << 20
    """How many bytes of the journal make a file full."""

    @property
    def pace(self) -> Pace:
        """Files want to be large, so batches are."""
        return Pace(wait_s=self.wait_s, batch_bytes=self.batch_bytes)

    def send(self, batch: Batch) -> Delivery:
        unread, rows = 0, 0
        try:
            for kind, table in _tables_of(batch):
                rows += table.num_rows
                for day, part in _days_of(table):
                    self._write(kind, day, name=batch.id, table=part)
        except OSError as error:
            return Delivery(outcome="retry", detail=str(error))
        unread = max(0, batch.signals - rows)
        detail = f"{unread} signals that cannot be read" if unread else ""
        return Delivery(outcome="delivered", rejected=unread, detail=detail)

    def close(self) -> None:
        """Nothing is kept open between two batches."""

    def describe(self) -> Mapping[str, Any]:
        return {"directory": self.directory}

    def _write(self, kind: str, day: str, *, name: str, table: pa.Table) -> None:
        import pyarrow.parquet

        folder = Path(self.directory) / f"kind={kind}" / f"day={day}"
        folder.mkdir(parents=True, exist_ok=True)
        # Readers of a folder of Parquet files pass over what begins with a dot.
        beside = folder / f".{name}.part"
        with beside.open("wb") as file:
            pyarrow.parquet.write_table(table, file, compression=self.compression)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(folder / f"{name}.parquet")
        durable.sync(folder)


def _tables_of(batch: Batch) -> Iterator[tuple[str, pa.Table]]:
    """Per kind, read as the store reads; a frame that contradicts itself is left out."""
    # Here, since it brings Arrow, some 60 MB.
    from qmon_agent.store.telemetry.decoding import decode, together

    tally: Counter[str] = Counter()
    read = []
    for payload in batch.payloads or map(encode_frame, batch.frames):
        try:
            read.append(decode(payload, tally))
        except ValueError:
            continue
    yield from together(read).tables.items()


def _days_of(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    number = pc.divide(table["time"].cast(pa.int64()), _DAY_NS)
    for day in sorted(pc.unique(number).to_pylist()):
        yield _named(day), table.filter(pc.equal(number, day)).unify_dictionaries()


def _named(day: int) -> str:
    from datetime import date, timedelta

    return str(date(1970, 1, 1) + timedelta(days=max(0, day)))
