"""Maps with the same key twice, which no engine takes: the last one counts, as in any reader."""

from __future__ import annotations

import pyarrow as pa


def without_repeats(rows: dict[str, pa.RecordBatch]) -> tuple[dict[str, pa.RecordBatch], int]:
    """The rows of a frame with every key once, and how many were left out.

    Row by row, and so only for frames that were refused.
    """
    mended: dict[str, pa.RecordBatch] = {}
    total = 0
    for kind, batch in rows.items():
        columns, left_out = zip(*map(_mended, batch.columns), strict=True)
        mended[kind] = pa.RecordBatch.from_arrays(list(columns), schema=batch.schema)
        total += sum(left_out)
    return mended, total


def _mended(column: pa.Array) -> tuple[pa.Array, int]:
    if not pa.types.is_map(column.type):
        return column, 0
    before = column.to_pylist()
    after = [list(dict(pairs).items()) for pairs in before]
    left_out = sum(map(len, before)) - sum(map(len, after))
    return (pa.array(after, column.type), left_out) if left_out else (column, 0)
