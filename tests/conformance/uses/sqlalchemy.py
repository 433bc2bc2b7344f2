"""A table in memory, written and read through an engine."""

from __future__ import annotations

from sqlalchemy import create_engine, text


def use(servers):
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (number INTEGER)"))
        yield
        connection.execute(text("INSERT INTO orders VALUES (:number)"), [{"number": 1}])
        assert 1 == connection.execute(text("SELECT max(number) FROM orders")).scalar()
    engine.dispose()
