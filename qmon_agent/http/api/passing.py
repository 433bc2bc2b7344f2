"""What passes a place of the stream: before the processors, behind each, or in the journal."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.domain.errors import QueryError
from qmon_agent.http.answers import json_answer
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import needs


def routes(desk: Desk) -> list[Route]:
    # What has not been scrubbed yet is not for everybody who may read.
    @needs("admin")
    async def passing(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not after.isdigit():
            raise QueryError(f"after: {after!r} is no whole number")
        told = desk.passing(request.query_params.get("at", "journal"), int(after))
        return json_answer({"version": 1, **told})

    return [Route("/api/passing", passing)]
