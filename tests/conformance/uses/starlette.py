"""A request to a Starlette application."""

from __future__ import annotations

import httpx
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def use(servers):
    async def home(request):
        return PlainTextResponse("hello")

    app = Starlette(routes=[Route("/", home)])
    yield
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://shop"
    ) as client:
        assert 200 == (await client.get("/")).status_code
