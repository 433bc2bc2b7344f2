"""A request to a FastAPI application; Starlette's integration, which it needs, records it."""

from __future__ import annotations

import httpx
from fastapi import FastAPI


async def use(servers):
    app = FastAPI()

    @app.get("/")
    async def home():
        return "hello"

    yield
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://shop"
    ) as client:
        assert 200 == (await client.get("/")).status_code
