"""Tokens: made, listed and ended by administrators."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.http.answers import json_answer, question
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import needs


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/tokens`."""

    scope: str
    name: str = ""
    ttl_s: float = 0.0


def routes(desk: Desk) -> list[Route]:
    @needs("admin")
    async def tokens(_: Request) -> Response:
        return json_answer({"version": 1, "tokens": await desk.tokens()})

    @needs("admin")
    async def create(request: Request) -> Response:
        asked = await question(request, TokenRequest)
        made = await desk.create_token(asked.scope, name=asked.name, ttl_s=asked.ttl_s)
        return json_answer({"version": 1, **made}, status=201)

    @needs("admin")
    async def revoke(request: Request) -> Response:
        token_id = request.path_params["token_id"]
        ended = await desk.revoke_token(token_id)
        said = [one for one in await desk.tokens() if ended and one["id"] == token_id]
        which = {name: one[name] for one in said for name in ("id", "name", "scope")}
        answer = {"version": 1, "revoked": ended, **which}
        return json_answer(answer, status=200 if ended else 404)

    return [
        Route("/api/tokens", tokens, methods=["GET"]),
        Route("/api/tokens", create, methods=["POST"]),
        Route("/api/tokens/{token_id:int}", revoke, methods=["DELETE"]),
    ]
