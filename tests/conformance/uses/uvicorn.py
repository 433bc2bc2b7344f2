"""A server that starts, and stops at once."""

from __future__ import annotations

import uvicorn

TELLS = ()


async def application(scope, receive, send):
    """Is never asked."""


async def use(servers):
    config = uvicorn.Config(application, port=0, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    server.should_exit = True
    await server.serve()
    yield
    server = uvicorn.Server(config)
    server.should_exit = True
    await server.serve()
