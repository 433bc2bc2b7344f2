"""Incidents, what fires first; one with its life; their figures; what somebody does with one."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qmon_agent.domain.errors import QueryError
from qmon_agent.http.answers import json_answer, question
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import needs

_MOST = 1_000
_YEAR_S = 366 * 86_400
_MONTH_S = 30 * 86_400
_Name = Annotated[str, Meta(max_length=200)]


class DeedRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/incidents/ID/ack`, and its like."""

    by: str = ""
    text: str = ""
    for_s: Annotated[float, Meta(ge=0, le=_YEAR_S)] = 0.0
    sticky: bool = False


class MergeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/incidents/ID/merge`."""

    incidents: Annotated[list[_Name], Meta(min_length=1, max_length=_MOST)]
    by: _Name = ""


def routes(desk: Desk) -> list[Route]:
    @needs("read")
    async def incidents(request: Request) -> Response:
        asked = request.query_params.get("limit", str(_MOST))
        if not asked.isdigit():
            raise QueryError(f"limit: {asked!r} is no whole number")
        found = await desk.incidents(
            states=request.query_params.getlist("state"), limit=min(int(asked), _MOST)
        )
        return json_answer({"version": 1, "incidents": found})

    @needs("read")
    async def incident(request: Request) -> Response:
        found = await desk.incident(request.path_params["incident"])
        answer = {"version": 1, "incident": found}
        return json_answer(answer, status=404 if found is None else 200)

    @needs("operator")
    async def handle(request: Request) -> Response:
        asked = await question(request, DeedRequest)
        name, deed = request.path_params["incident"], request.path_params["deed"]
        handling = await desk.handle(name, deed, msgspec.to_builtins(asked))
        return json_answer({"version": 1, "incident": name, "handling": handling})

    return [
        Route("/api/incidents", incidents),
        *_of_figures(desk),
        _of_merging(desk),
        Route("/api/incidents/{incident:str}", incident),
        Route("/api/incidents/{incident:str}/{deed:str}", handle, methods=["POST"]),
    ]


def _of_merging(desk: Desk) -> Route:
    @needs("operator")
    async def merge(request: Request) -> Response:
        asked = await question(request, MergeRequest)
        name = request.path_params["incident"]
        merged = await desk.merge(name, msgspec.to_builtins(asked))
        return json_answer({"version": 1, "incident": name, "merged": merged})

    return Route("/api/incidents/{incident:str}/merge", merge, methods=["POST"])


def _of_figures(desk: Desk) -> list[Route]:
    @needs("read")
    async def figures(request: Request) -> Response:
        asked = request.query_params
        found = await desk.alert_figures(
            since_s=_seconds(asked.get("since_s", str(_MONTH_S))), zone=asked.get("zone", "UTC")
        )
        return json_answer({"version": 1, "figures": found})

    @needs("operator")
    async def label(request: Request) -> Response:
        asked = await question(request, DeedRequest)
        name = request.path_params["incident"]
        is_there = await desk.label(name, msgspec.to_builtins(asked))
        answer = {"version": 1, "incident": name, "labelled": is_there}
        return json_answer(answer, status=200 if is_there else 404)

    return [
        Route("/api/incidents/figures", figures),
        Route("/api/incidents/{incident:str}/label", label, methods=["POST"]),
    ]


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise QueryError(f"since_s: {text!r} is no number") from None
    if not 0 < seconds <= _YEAR_S:
        raise QueryError("since_s: it has to be longer than nothing, and a year at most")
    return seconds
