"""The configuration is read again, on an administrator's word."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.http.answers import json_answer
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import needs

_WRONG = 422


def routes(desk: Desk) -> list[Route]:
    @needs("admin")
    async def reload(_: Request) -> Response:
        came_of_it = await desk.reload()
        status = 200 if came_of_it["reloaded"] else _WRONG
        return json_answer({"version": 1, **came_of_it}, status=status)

    return [Route("/api/reload", reload, methods=["POST"])]
