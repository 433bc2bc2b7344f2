"""A segment written anew without some of its rows, beside the one it will take the place of."""

from __future__ import annotations

from pathlib import Path

import duckdb
import msgspec

from qmon_agent.store.telemetry.manifest import Segment
from qmon_agent.store.telemetry.rollups import LISTED

from . import ddl, layout
from .export import MARKS, Mark, segment_of

SERVICES = "SELECT service, count(*) FROM read_parquet({target}) GROUP BY service"
COUNT = "SELECT count(*) FROM read_parquet({target}) WHERE {condition}"


def services_in(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, int]:
    """Service → rows."""
    found = connection.execute(SERVICES.format(target=ddl.text(str(path)))).fetchall()
    return {str(service): int(rows) for service, rows in found}


def count(connection: duckdb.DuckDBPyConnection, path: Path, condition: str) -> int:
    """The rows that meet a condition."""
    asked = COUNT.format(target=ddl.text(str(path)), condition=condition)
    return int(connection.execute(asked).fetchall()[0][0])


def without(
    connection: duckdb.DuckDBPyConnection, segment: Segment, condition: str, *, directory: Path
) -> Segment | None:
    """The segment without the rows that meet a condition, on the disk; None if nothing is left.

    The segment itself where no row does. Its columns, its order and when it was first written
    stay; its file is another one, which no manifest lists yet.
    """
    path = directory / segment.file
    gone = count(connection, path, condition)
    if not gone:
        return segment
    if gone == segment.rows:
        return None
    file = next_file(segment.file)
    left = msgspec.structs.replace(mark_of(connection, path), rows=segment.rows - gone)
    table = LISTED[segment.table]
    layout.write_again(
        connection,
        f"read_parquet({ddl.text(str(path))}) WHERE ({condition}) IS NOT TRUE",
        table=table,
        target=directory / file,
        group=layout.group_of(segment.width),
        mark=msgspec.json.encode(left).decode(),
    )
    made = segment_of(connection, directory / file, file=file, mark=left, table=table)
    return msgspec.structs.replace(
        segment,
        file=made.file,
        rows=made.rows,
        bytes=made.bytes,
        sha256=made.sha256,
        oldest=made.oldest,
        newest=made.newest,
    )


def next_file(file: str) -> str:
    """`00000007.parquet` → `00000007~1.parquet` → `00000007~2.parquet`."""
    path = Path(file)
    stem, _, edition = path.stem.partition("~")
    return str(path.with_name(f"{stem}~{int(edition or 0) + 1}{path.suffix}"))


def edition_of(path: Path) -> tuple[Path, int]:
    """The file as it was first written, and how often it was written anew."""
    stem, _, edition = path.stem.partition("~")
    return path.with_name(stem + path.suffix), int(edition) if edition.isdigit() else 0


def mark_of(connection: duckdb.DuckDBPyConnection, path: Path) -> Mark:
    """What a segment says of itself."""
    asked = MARKS.format(target=ddl.text(str(path)), key=ddl.text(layout.MARK))
    return msgspec.json.decode(connection.execute(asked).fetchall()[0][0], type=Mark)
