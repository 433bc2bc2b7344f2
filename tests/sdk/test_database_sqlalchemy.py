"""SQLAlchemy, for real: one layer speaks, whichever drivers are watched."""

from __future__ import annotations

import aiosqlite
import pytest
from sqlalchemy import create_engine, event, exc, text
from sqlalchemy.ext.asyncio import create_async_engine

from qmon_sdk.client import current
from qmon_sdk.spans import span
from qmon_sdk.start import stats

DRIVERS = ("sqlite3", "aiosqlite", "psycopg", "psycopg2", "asyncpg")
ENGINES = {
    "pysqlite": "sqlite://",
    "psycopg": "postgresql+psycopg",
    "psycopg2": "postgresql+psycopg2",
}
ASYNC_ENGINES = {
    "aiosqlite": "sqlite+aiosqlite://",
    "psycopg": "postgresql+psycopg",
    "asyncpg": "postgresql+asyncpg",
}


def url_of(known, servers):
    return known if "://" in known else servers.postgres.url.replace("postgresql", known)


def statements(told):
    """The spans of statements on our table, by operation."""
    return [s for s in told.spans if s.attributes.get("db.collection.name") == "orders"]


def shop(connection):
    connection.execute(text("CREATE TEMPORARY TABLE orders (number integer)"))
    connection.execute(text("INSERT INTO orders VALUES (:n)"), [{"n": 1}, {"n": 2}])
    assert 2 == connection.execute(text("SELECT max(number) FROM orders")).scalar()


@pytest.fixture
def told_by_all(told):
    return told.begin(integrations=("sqlalchemy", *DRIVERS))


@pytest.fixture
def told_by_sqlalchemy(told):
    return told.begin(integrations=("sqlalchemy",))


@pytest.mark.parametrize("driver", ENGINES)
class TestAnEngine:
    def test_of_a_watched_driver_is_told_once(self, told_by_all, driver, servers):
        engine = create_engine(url_of(ENGINES[driver], servers))
        with engine.begin() as connection:
            shop(connection)
        engine.dispose()

        operations = [s.attributes["db.operation.name"] for s in statements(told_by_all)]
        assert ["CREATE TABLE", "BATCH INSERT", "SELECT"] == operations

    def test_of_another_driver_is_told_by_its_events(self, told_by_sqlalchemy, driver, servers):
        engine = create_engine(url_of(ENGINES[driver], servers))
        with engine.begin() as connection:
            shop(connection)
        engine.dispose()

        _, inserted, selected = statements(told_by_sqlalchemy)
        assert "2" == inserted.attributes["db.operation.batch.size"]
        assert {"sqlite", "postgresql"} > {selected.attributes["db.system.name"]}
        assert [s.name for s in told_by_sqlalchemy.spans if s.name.startswith("COMMIT")]


@pytest.mark.parametrize("driver", ASYNC_ENGINES)
class TestAnAsyncEngine:
    async def test_of_a_watched_driver_is_told_once(self, told_by_all, driver, servers):
        await self.use(url_of(ASYNC_ENGINES[driver], servers))

        operations = [s.attributes["db.operation.name"] for s in statements(told_by_all)]
        assert ["CREATE TABLE", "BATCH INSERT", "SELECT"] == operations

    async def test_of_another_driver_is_told_by_its_events(
        self, told_by_sqlalchemy, driver, servers
    ):
        parent = await self.use(url_of(ASYNC_ENGINES[driver], servers))

        told = statements(told_by_sqlalchemy)
        assert 3 == len(told)
        assert {parent} == {s.parent_id for s in told}

    async def test_has_its_spans_in_the_trace_of_the_caller(self, told_by_all, driver, servers):
        parent = await self.use(url_of(ASYNC_ENGINES[driver], servers))

        assert {parent} == {s.parent_id for s in statements(told_by_all)}

    async def use(self, url):
        engine = create_async_engine(url)
        with span("request") as request:
            async with engine.begin() as connection:
                await connection.run_sync(shop)
        await engine.dispose()
        return request.span_id


class TestFailures:
    def test_of_statements_say_what_the_driver_says(self, told_by_sqlalchemy):
        engine = create_engine("sqlite://")
        with engine.connect() as connection, pytest.raises(exc.OperationalError):
            connection.execute(text("SELECT 1 FROM nothing"))
        engine.dispose()

        failed = told_by_sqlalchemy.span("SELECT nothing")
        assert ("error", "OperationalError") == (failed.status, failed.attributes["error.type"])
        assert "SQLITE_ERROR" == failed.attributes["db.response.status_code"]

    def test_of_other_listeners_leave_no_span_open(self, told_by_sqlalchemy):
        engine = create_engine("sqlite://")
        event.listen(engine, "before_cursor_execute", lambda *_: 1 / 0)
        with engine.connect() as connection, pytest.raises(ZeroDivisionError):
            connection.execute(text("SELECT 1"))
        engine.dispose()
        with span("after") as after:
            pass

        assert after.span_id
        assert "" == told_by_sqlalchemy.span("after").parent_id


class TestConnectionsFromBefore:
    def test_are_told_by_events_if_the_driver_cannot(self, told):
        engine = create_engine("sqlite://")
        with engine.connect() as connection:
            told.begin(integrations=("sqlalchemy", "sqlite3"))
            connection.execute(text("SELECT 1 FROM sqlite_master"))
        engine.dispose()

        assert told.span("SELECT sqlite_master")


class TestRemoval:
    def test_ends_the_listening(self, told_by_sqlalchemy):
        engine = create_engine("sqlite://")
        current().integrations["sqlalchemy"].remove()
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        engine.dispose()

        assert [] == told_by_sqlalchemy.spans
        assert {} == stats().trouble


class TestAiosqlite:
    async def test_statements_in_its_thread_are_in_the_trace_of_the_caller(self, told):
        told.begin(integrations=("aiosqlite",))
        with span("request") as request:
            async with aiosqlite.connect(":memory:") as connection:
                await connection.execute("CREATE TABLE orders (number INTEGER)")

        made = [s for s in told.spans if s.name != "request"]
        assert ["CONNECT :memory:", "CREATE TABLE orders"] == [s.name for s in made]
        assert {request.span_id} == {s.parent_id for s in made}
