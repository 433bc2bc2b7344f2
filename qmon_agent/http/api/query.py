"""Read-only SQL over HTTP, in the shape `query --json` promises."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.http.answers import json_answer, question
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import needs


class QueryRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/query`."""

    sql: str
    limit: int | None = None
    timeout_s: float | None = None


def routes(desk: Desk) -> list[Route]:
    @needs("read")
    async def query(request: Request) -> Response:
        asked = await question(request, QueryRequest)
        answer = await desk.query(asked.sql, limit=asked.limit, timeout_s=asked.timeout_s)
        return json_answer(
            {
                "version": 1,
                "columns": [column.name for column in answer.columns],
                "rows": answer.records(),
                "truncated": answer.truncated,
                "missing": answer.missing,
            }
        )

    return [Route("/api/query", query, methods=["POST"])]
