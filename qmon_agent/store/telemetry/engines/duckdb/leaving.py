"""Segments read for another engine: the hot rows first made segments, then piece by piece."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa

from qmon_agent.store.telemetry import sums
from qmon_agent.store.telemetry.manifest import Manifest, Segment
from qmon_agent.store.telemetry.options import Joining, Scrubbing, TelemetryOptions
from qmon_agent.store.telemetry.schema import BY_NAME, Table
from qmon_agent.store.telemetry.sums import Sum

from . import layout, limits, views
from .engine import DuckEngine

MEMORY_MB = 256
WAIT_S = 0.02


def settle(options: TelemetryOptions) -> None:
    """Make segments of all that is hot; nothing else is changed, and nothing expires."""
    still = msgspec.structs.replace(
        options, joining=Joining(is_on=False), scrubbing=Scrubbing(is_on=False)
    )
    engine = DuckEngine.open(still)
    try:
        while engine.exported != engine.stored:
            engine.tend(now=time.time_ns(), everything=True)
            while engine.busy():
                time.sleep(WAIT_S)
    finally:
        engine.close()


def pieces(segment: Segment, *, directory: Path, rows: int) -> Iterator[pa.Table]:
    """The rows of a segment, so many at a time, fewer wide ones: always the same pieces."""
    rows = min(rows, layout.group_of(segment.width))
    query = views.from_segments(BY_NAME[segment.table], [segment], directory=directory)
    with limits.connect_in_memory(directory, memory_limit_mb=MEMORY_MB) as own:
        own.execute("SET preserve_insertion_order = true")
        waiting: list[pa.Table] = []
        with own.sql(query).to_arrow_reader(min(rows, 1 << 16)) as reader:
            for batch in reader:
                waiting.append(pa.Table.from_batches([batch]))
                if sum(each.num_rows for each in waiting) >= rows:
                    whole = pa.concat_tables(waiting)
                    while whole.num_rows >= rows:
                        yield whole.slice(0, rows)
                        whole = whole.slice(rows)
                    waiting = [whole]
        rest = pa.concat_tables(waiting) if waiting else None
        if rest is not None and rest.num_rows:
            yield rest


def sums_of(table: Table, manifest: Manifest, *, directory: Path) -> dict[str, Sum]:
    """What the segments of a table have of each day."""
    segments = [each for each in manifest.segments if each.table == table.name]
    if not segments:
        return {}
    rows = views.from_segments(table, segments, directory=directory)
    with limits.connect_in_memory(directory, memory_limit_mb=MEMORY_MB) as own:
        asked = sums.asked(table, f"({rows}) AS x", sums.DUCKDB)
        return sums.read(own.execute(asked).fetchall())
