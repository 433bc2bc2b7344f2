"""Incidents, newest first."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.domain.errors import QueryError
from qmon_agent.http.answers import json_answer
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import needs

_MOST = 1_000


def routes(desk: Desk) -> list[Route]:
    @needs("read")
    async def incidents(request: Request) -> Response:
        asked = request.query_params.get("limit", str(_MOST))
        if not asked.isdigit():
            raise QueryError(f"limit: {asked!r} is no whole number")
        found = await desk.incidents(
            states=request.query_params.getlist("state"), limit=min(int(asked), _MOST)
        )
        return json_answer({"version": 1, "incidents": found})

    return [Route("/api/incidents", incidents)]
