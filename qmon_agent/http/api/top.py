"""Who and what keeps the agent busy."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.http.answers import json_answer
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import needs


def routes(desk: Desk) -> list[Route]:
    @needs("read")
    async def top(_: Request) -> Response:
        return json_answer({"version": 1, **await desk.busiest()})

    return [Route("/api/top", top)]
