"""Forgetting a user: asked for by administrators, done in its own time, told about step by step."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.http.answers import json_answer, question
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import needs


class ForgetRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/forget`."""

    user: str
    author: str = ""
    dry_run: bool = False


def routes(desk: Desk) -> list[Route]:
    @needs("admin")
    async def requests(_: Request) -> Response:
        return json_answer({"version": 1, "requests": await desk.keeping.forgettings()})

    @needs("admin")
    async def one(request: Request) -> Response:
        found = await desk.keeping.forgetting(request.path_params["request"])
        return json_answer({"version": 1, "request": found})

    @needs("admin")
    async def forget(request: Request) -> Response:
        asked = await question(request, ForgetRequest)
        if asked.dry_run:
            found = await desk.keeping.would_forget(asked.user)
            return json_answer({"version": 1, "dry_run": True, "report": found})
        begun = await desk.keeping.forget(asked.user, author=asked.author)
        return json_answer({"version": 1, "request": begun}, status=202)

    return [
        Route("/api/forget", requests, methods=["GET"]),
        Route("/api/forget", forget, methods=["POST"]),
        Route("/api/forget/{request:str}", one, methods=["GET"]),
    ]
