"""The pages behind the links of messages; looking changes nothing, only a button does."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.http.answers import json_answer
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import may, needs
from qmon_agent.http.link_pages import incident_page, link_page, page

_STATUSES = {"unknown": 404, "expired": 410}
_TOO_LATE = {**_STATUSES, "over": 409}
# A picture is shown on pages of others, whose browsers ask for it; it never changes.
_SHOWN_ELSEWHERE = {
    "cross-origin-resource-policy": "cross-origin",
    "cache-control": "private, max-age=3600",
}
_SIGN_IN = (
    "This page is for those who are signed in, or who follow the link of a message. "
    "Links of messages work for a time; a later message has a new one."
)


def routes(desk: Desk) -> list[Route]:
    @needs("open")
    async def look(request: Request) -> Response:
        view = await desk.links.look(request.path_params["text"])
        return link_page(view, status=_STATUSES.get(view.standing, 200))

    @needs("open")
    async def act(request: Request) -> Response:
        text = request.path_params["text"]
        view = await desk.links.act(text)
        if view.standing != "done":
            return link_page(view, status=_TOO_LATE.get(view.standing, 200))
        # So that reading it again does nothing again; beside where we are, whatever stands before.
        return Response(status_code=303, headers={"location": text})

    @needs("open")
    async def chart(request: Request) -> Response:
        try:
            picture = await desk.links.chart(request.path_params["text"])
        except TimeoutError:
            return Response(status_code=503, headers={"retry-after": "5"})
        if picture is None:
            return Response(status_code=404)
        return Response(picture, media_type="image/png", headers=_SHOWN_ELSEWHERE)

    return [
        Route("/links/{text:str}/chart.png", chart, methods=["GET"]),
        Route("/links/{text:str}", look, methods=["GET"]),
        Route("/links/{text:str}", act, methods=["POST"]),
        *_of_incidents(desk),
    ]


def _of_incidents(desk: Desk) -> list[Route]:
    @needs("open")
    async def incident(request: Request) -> Response:
        name, link = request.path_params["incident"], request.query_params.get("link", "")
        # Who may read is asked last: a link is enough, and says nothing about others.
        if not (await desk.links.may_see(name, link) or may(request.scope, "read")):
            return page("qmon", f"<p>{_SIGN_IN}</p>", status=401)
        view = await desk.links.incident(name)
        if view is None:
            return page("qmon", "<p>There is no such incident, or no more.</p>", status=404)
        return incident_page(view)

    @needs("admin")
    async def revoke(_: Request) -> Response:
        await desk.links.revoke()
        return json_answer({"version": 1, "revoked": True})

    return [
        Route("/incidents/{incident:str}", incident, methods=["GET"]),
        Route("/api/links", revoke, methods=["DELETE"]),
    ]
