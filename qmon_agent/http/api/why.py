"""Why did, or did not, somebody hear of an alert."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.domain.errors import QueryError
from qmon_agent.http.answers import json_answer
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import needs


def routes(desk: Desk) -> list[Route]:
    @needs("read")
    async def why(request: Request) -> Response:
        said = request.query_params
        incident, alert = said.get("incident", ""), said.get("alert", "")
        if bool(incident) == bool(alert):
            raise QueryError("asks for an `incident` or for an `alert`")
        told = await desk.why(incident=incident, alert=alert, channel=said.get("channel", ""))
        return json_answer({"version": 1, **told})

    return [Route("/api/why", why)]
