"""A key set, a pipeline, and a key that is not there."""

from __future__ import annotations

import redis
import redis.asyncio

TELLS = ("span", "point")


async def use(servers):
    client = redis.Redis(port=servers.redis.port)
    client.set("a", "1")
    pipeline = client.pipeline().get("a").get("nothing")
    async with redis.asyncio.Redis(port=servers.redis.port) as later:
        assert b"1" == await later.get("a")
        yield
        assert [b"1", None] == pipeline.execute()
        assert await later.get("nothing") is None
    client.close()
