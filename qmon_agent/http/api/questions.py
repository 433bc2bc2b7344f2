"""Questions by name: which there are, and what the answer to one is."""

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
    async def questions(_: Request) -> Response:
        return json_answer({"version": 1, "questions": await desk.questions()})

    @needs("read")
    async def ask(request: Request) -> Response:
        said = dict(request.query_params)
        if len(said) < len(request.query_params.multi_items()):
            raise QueryError("a parameter is said twice")
        return json_answer(await desk.ask(request.path_params["name"], said))

    return [Route("/api/questions", questions), Route("/api/questions/{name}", ask)]
