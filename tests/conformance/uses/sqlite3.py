"""A table in memory, written and read."""

from __future__ import annotations

import sqlite3


def use(servers):
    connection = sqlite3.connect(":memory:")
    with connection:
        connection.execute("CREATE TABLE orders (number INTEGER)")
        yield
        connection.executemany("INSERT INTO orders VALUES (?)", [(1,), (2,)])
    assert [(2,)] == connection.execute("SELECT max(number) FROM orders").fetchall()
    connection.close()
