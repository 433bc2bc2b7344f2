"""Prometheus's series as lots: its blocks, or slices of what it answers to remote read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from qmon_agent.app.bringing import Book, Group, Lot
from qmon_agent.domain.errors import StoreError
from qmon_agent.ingest.drawn import Drawing, in_families
from qmon_agent.ingest.remote_reading import read_series
from qmon_agent.ingest.tsdb import Block, DamagedBlockError, blocks_in

SLICE_MS = 600_000


def lots_of_blocks(directory: Path, drawing: Drawing, book: Book) -> list[Lot]:
    """A lot per block; StoreError where there is none.

    A block that was put together of others is known by them: of one that was brought in part,
    as some of its sources were, only the points of other times are brought.
    """
    try:
        blocks = blocks_in(directory)
    except (DamagedBlockError, OSError) as problem:
        raise StoreError(str(problem)) from None
    if not blocks and (directory / "wal").is_dir():
        only = "there is only a write-ahead log yet, and no block has been written"
        raise StoreError(f"{directory}: {only}; use its remote read: import prometheus URL")
    if not blocks:
        raise StoreError(f"no block of a Prometheus is in {directory}: name its data directory")
    return [_lot_of_block(block, drawing, book) for block in blocks]


def lots_of_slices(
    address: str, drawing: Drawing, *, metrics: str, span: tuple[int, int], token: str = ""
) -> list[Lot]:
    """Ten minutes each, as far as they are over; `span` in milliseconds since 1970."""
    begin, end = (each // SLICE_MS * SLICE_MS for each in span)

    def lot(start: int) -> Lot:
        def groups() -> Iterator[Group]:
            series = read_series(
                address, metrics=metrics, begin=start, end=start + SLICE_MS, token=token
            )
            yield from drawing.points(in_families(series))

        key = f"remote read {address} {metrics} {start}"
        return Lot(key=key, groups=groups, needs_before=True)

    return [lot(start) for start in range(begin, end, SLICE_MS)]


def _lot_of_block(block: Block, drawing: Drawing, book: Book) -> Lot:
    parts = tuple(f"prometheus block {source}" for source in sorted(block.sources))
    spans = [book.span(part) for part in parts if book.is_done(part)]

    def groups() -> Iterator[Group]:
        try:
            for resource, points in drawing.points(block.families(drawing.left_out)):
                fresh = [point for point in points if not _is_within(point.time, spans)]
                if known := len(points) - len(fresh):
                    drawing.left_out["brought_before"] += known
                yield resource, fresh
        except DamagedBlockError as problem:
            raise StoreError(f"{block.folder}: {problem}") from None

    return Lot(
        key=f"prometheus blocks {block.id}",
        parts=parts,
        span=(block.begins, block.ends),
        groups=groups,
        needs_before=True,
    )


def _is_within(time: int, spans: Iterable[tuple[int, int]]) -> bool:
    return any(begin <= time // 1_000_000 < end for begin, end in spans)
