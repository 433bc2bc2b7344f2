"""Segments that somebody else found to be damaged: the agent looks at them now."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.http.answers import json_answer, question
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import needs


class LookRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/segments/look`: files, as the list of segments names them."""

    files: tuple[str, ...]


def routes(desk: Desk) -> list[Route]:
    @needs("admin")
    async def look(request: Request) -> Response:
        asked = await question(request, LookRequest)
        return json_answer({"version": 1, "set_aside": list(await desk.look(asked.files))})

    return [Route("/api/segments/look", look, methods=["POST"])]
