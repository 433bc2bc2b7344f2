"""Legal holds: made and removed by administrators, seen by operators."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.http.answers import json_answer, question
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import needs


class HoldRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/holds`; `since` and `until` are dates or times in ISO 8601."""

    reason: str
    kinds: tuple[str, ...] = ()
    service: str = ""
    user: str = ""
    since: str = ""
    until: str = ""
    author: str = ""


def routes(desk: Desk) -> list[Route]:
    @needs("operator")
    async def holds(request: Request) -> Response:
        removed = request.query_params.get("removed", "") == "true"
        return json_answer({"version": 1, "holds": await desk.keeping.holds(removed=removed)})

    @needs("admin")
    async def add(request: Request) -> Response:
        asked = await question(request, HoldRequest)
        made = await desk.keeping.add_hold(msgspec.to_builtins(asked))
        return json_answer({"version": 1, "hold": made}, status=201)

    @needs("admin")
    async def remove(request: Request) -> Response:
        author = request.query_params.get("author", "")
        ended = await desk.keeping.remove_hold(request.path_params["hold"], author=author)
        answer = {"version": 1, "removed": ended is not None, "hold": ended}
        return json_answer(answer, status=404 if ended is None else 200)

    return [
        Route("/api/holds", holds, methods=["GET"]),
        Route("/api/holds", add, methods=["POST"]),
        Route("/api/holds/{hold:str}", remove, methods=["DELETE"]),
    ]
