"""A request by aiohttp's client to aiohttp's server."""

from __future__ import annotations

import aiohttp
from aiohttp import web


async def use(servers):
    async def home(_):
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", home)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as response:
            yield
        async with session.get(url) as response:
            assert "hello" == await response.text()
    await runner.cleanup()
