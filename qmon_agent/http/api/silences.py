"""Silences: made and ended by operators, seen by whoever may read."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.http.answers import json_answer, question
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import needs


class SilenceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/silences`."""

    matchers: str
    for_s: Annotated[float, Meta(gt=0)]
    in_s: Annotated[float, Meta(ge=0, le=366 * 86_400)] = 0.0
    author: str = ""
    comment: str = ""
    until_resolved: bool = False


def routes(desk: Desk) -> list[Route]:
    @needs("read")
    async def silences(_: Request) -> Response:
        return json_answer({"version": 1, "silences": await desk.silences()})

    @needs("operator")
    async def add(request: Request) -> Response:
        asked = await question(request, SilenceRequest)
        made = await desk.add_silence(msgspec.to_builtins(asked))
        doubtful = {"warnings": made.pop("warnings")} if "warnings" in made else {}
        return json_answer({"version": 1, "silence": made, **doubtful}, status=201)

    @needs("operator")
    async def expire(request: Request) -> Response:
        ended = await desk.expire_silence(request.path_params["silence"])
        answer = {"version": 1, "expired": ended is not None, "silence": ended}
        return json_answer(answer, status=404 if ended is None else 200)

    return [
        Route("/api/silences", silences, methods=["GET"]),
        Route("/api/silences", add, methods=["POST"]),
        Route("/api/silences/{silence:str}", expire, methods=["DELETE"]),
    ]
