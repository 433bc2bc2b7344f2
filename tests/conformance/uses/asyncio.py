"""A loop that a callback holds up."""

from __future__ import annotations

import asyncio
import threading
import time

TELLS = ("span", "point")


async def hold_up():
    time.sleep(0.3)
    await asyncio.sleep(0)


def use(servers):
    yield
    thread = threading.Thread(target=asyncio.run, args=(hold_up(),))
    thread.start()
    thread.join()
