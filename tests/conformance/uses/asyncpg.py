"""A temporary table, written and read by a pool's connection."""

from __future__ import annotations

import asyncpg


async def use(servers):
    async with (
        asyncpg.create_pool(servers.postgres.url, min_size=1, max_size=1) as pool,
        pool.acquire() as connection,
    ):
        await connection.execute("CREATE TEMPORARY TABLE orders (number integer)")
        yield
        await connection.executemany("INSERT INTO orders VALUES ($1)", [(1,), (2,)])
        rows = await connection.fetch("SELECT number FROM orders ORDER BY number")
        assert [1, 2] == [row["number"] for row in rows]
