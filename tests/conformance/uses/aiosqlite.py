"""A table in memory, written and read by a thread of its own."""

from __future__ import annotations

import aiosqlite


async def use(servers):
    async with aiosqlite.connect(":memory:") as connection:
        await connection.execute("CREATE TABLE orders (number INTEGER)")
        yield
        await connection.execute("INSERT INTO orders VALUES (?)", (1,))
        async with connection.execute("SELECT number FROM orders") as cursor:
            assert [(1,)] == await cursor.fetchall()
