"""Requests by httpx, of both kinds."""

from __future__ import annotations

import httpx


async def use(servers):
    with httpx.Client() as client:
        assert 200 == client.get(servers.web.url).status_code
    async with httpx.AsyncClient() as client:
        yield
        assert 302 == (await client.get(f"{servers.web.url}/to")).status_code
