"""Is it alive, is it ready, and what it counts about itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.http.answers import json_answer
from qmon_agent.http.desk import Desk
from qmon_agent.http.exposition import exposition, is_open_metrics, media_type
from qmon_agent.http.gate import may, needs

_AWAY = 503


def routes(desk: Desk) -> list[Route]:
    @needs("open")
    async def healthz(request: Request) -> Response:
        return _told(request, "alive", desk.hung())

    @needs("open")
    async def readyz(request: Request) -> Response:
        return _told(request, "ready", desk.unready())

    @needs("read")
    async def metrics(request: Request) -> Response:
        modern = is_open_metrics(request.headers.get("accept", ""))
        text = exposition(desk.vitals, modern=modern)
        return Response(text, media_type=media_type(modern=modern))

    @needs("admin")
    async def stacks(_: Request) -> Response:
        return json_answer({"version": 1, "stacks": desk.stacks(), "log": desk.log()})

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/api/stacks", stacks),
    ]


def _told(request: Request, what: str, troubles: Mapping[str, str]) -> Response:
    """Words for everybody; what is behind them for who may read."""
    document: dict[str, Any] = {"version": 1, what: not troubles, "reasons": [*troubles]}
    # Who somebody is stands in the state store, which is not there yet while the agent starts.
    if troubles and "starting" not in troubles and may(request.scope, "read"):
        document["details"] = dict(troubles)
    status = _AWAY if troubles else 200
    answer = json_answer(document, status)
    answer.headers["cache-control"] = "no-store"
    return answer
