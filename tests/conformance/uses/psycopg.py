"""A temporary table, written by a pipeline and read by a cursor of the server."""

from __future__ import annotations

import psycopg


def use(servers):
    with psycopg.connect(servers.postgres.dsn) as connection:
        connection.execute("CREATE TEMPORARY TABLE orders (number integer)")
        with connection.pipeline():
            connection.execute("INSERT INTO orders VALUES (%s)", (1,))
            yield
            connection.execute("INSERT INTO orders VALUES (%s)", (2,))
        with connection.cursor("numbers") as cursor:
            cursor.execute("SELECT number FROM orders ORDER BY number")
            assert [(1,), (2,)] == cursor.fetchall()
