"""A temporary table, written and read."""

from __future__ import annotations

import psycopg2
from psycopg2.extras import DictCursor, execute_values


def use(servers):
    connection = psycopg2.connect(servers.postgres.dsn)
    with connection, connection.cursor(cursor_factory=DictCursor) as cursor:
        cursor.execute("CREATE TEMPORARY TABLE orders (number integer)")
        yield
        execute_values(cursor, "INSERT INTO orders VALUES %s", [(1,), (2,)])
        cursor.execute("SELECT number FROM orders ORDER BY number")
        assert [1, 2] == [row["number"] for row in cursor]
    connection.close()
