"""An error that a callback of a loop ends with."""

from __future__ import annotations

import asyncio

TELLS = ("error",)


async def use(servers):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)
    loop.call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)
    yield
    loop.call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)
    loop.set_exception_handler(None)
