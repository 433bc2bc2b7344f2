"""Read-only SQL over HTTP, in the shape `query --json` promises."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from qmon_agent.http.answers import json_answer, question
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import needs, scope_of


class QueryRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/query`."""

    sql: str
    limit: int | None = None
    timeout_s: float | None = None


class ExportRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/export`."""

    sql: str
    format: Literal["csv", "ndjson", "arrow", "parquet"]
    limit: int | None = None


MOST_NAMED = 20
"""Damaged segments, in a header: it may not become long."""
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}


def routes(desk: Desk) -> list[Route]:
    @needs("read")
    async def query(request: Request) -> Response:
        asked = await question(request, QueryRequest)
        most = desk.most_rows.get(scope_of(request.scope))
        limit = asked.limit if most is None else min(asked.limit or desk.usual_rows, most)
        answer = await desk.query(asked.sql, limit=limit, timeout_s=asked.timeout_s)
        return json_answer(
            {
                "version": 1,
                "columns": [column.name for column in answer.columns],
                "rows": answer.records(),
                "truncated": answer.truncated,
                "missing": answer.missing,
                "freshness": answer.freshness,
            }
        )

    @needs("read")
    async def export(request: Request) -> Response:
        asked = await question(request, ExportRequest)
        most = desk.most_rows.get(scope_of(request.scope))
        limit = asked.limit if most is None else min(asked.limit or most, most)
        behind = await desk.behind_records()
        left_out: list[str] = []
        pieces = desk.export(asked.sql, form=asked.format, limit=limit, left_out=left_out.extend)
        # What is wrong with the question is an answer of its own; later, the connection ends.
        first = await anext(pieces, b"")
        headers = {"x-qmon-behind-records": str(behind)}
        if left_out:
            headers["x-qmon-missing"] = json.dumps(left_out[:MOST_NAMED])
        headers |= {"x-qmon-most-rows": str(most)} if most is not None else {}
        return StreamingResponse(
            _from(first, pieces), media_type=MEDIA_TYPES[asked.format], headers=headers
        )

    return [
        Route("/api/query", query, methods=["POST"]),
        Route("/api/export", export, methods=["POST"]),
    ]


async def _from(first: bytes, pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(pieces):
        if first:  # else it said what is left out
            yield first
        async for piece in pieces:
            yield piece
