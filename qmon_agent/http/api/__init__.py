"""The routes, one file for each thing one may ask about; every file has its `routes(desk)`."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.routing import Route

from qmon_agent.http.desk import Desk
from qmon_sdk.plugins import found


def api_routes(desk: Desk) -> Iterator[Route]:
    """Every route of every file in this folder."""
    for module in found(__name__).values():
        yield from module.routes(desk)
