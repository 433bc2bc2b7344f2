"""Is it alive, is it ready, and what it counts about itself."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from qmon_agent.http.desk import Desk
from qmon_agent.http.exposition import exposition
from qmon_agent.http.gate import needs


def routes(desk: Desk) -> list[Route]:
    @needs("open")
    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    @needs("open")
    async def readyz(_: Request) -> Response:
        if desk.is_ready:
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not ready\n", status_code=503)

    @needs("read")
    async def metrics(_: Request) -> Response:
        return PlainTextResponse(
            exposition(desk.vitals), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
