"""The status page as data; open to everybody where it is public."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.domain.errors import StoreError
from qmon_agent.http.answers import json_answer
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import may, needs
from qmon_agent.http.refusals import Refusal

_FOR_EVERYBODY = {
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "cache-control": "public, max-age=30",
}


def routes(desk: Desk) -> list[Route]:
    @needs("open")
    async def status_page(request: Request) -> Response:
        asks_more = request.query_params.get("internal", "") == "true"
        # Whether there is a page that is not public is nobody's business.
        if asks_more or not desk.page.is_public:
            _need_to_read(request)
            return _answer(await desk.page.current(with_internals=asks_more))
        try:
            answer = _answer(await desk.page.public())
        except StoreError:
            # What exactly is wrong with our disk is for us.
            return json_answer({"error": "not known just now"}, status=503)
        answer.headers.update(_FOR_EVERYBODY)
        return answer

    return [Route("/api/status-page", status_page, methods=["GET"])]


def _answer(document: Mapping[str, Any] | None) -> Response:
    nothing = {"error": "there is no [status_page] in the configuration", "kind": "NotFoundError"}
    return json_answer(document or nothing, status=200 if document else 404)


def _need_to_read(request: Request) -> None:
    if may(request.scope, "read"):
        return
    if request.scope["qmon.grants"]():
        raise Refusal(403, "this needs the role read", word="role")
    raise Refusal(401, "a token is needed", word="no_token", www_authenticate='Bearer realm="qmon"')
