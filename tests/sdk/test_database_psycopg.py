"""PostgreSQL by psycopg 3, for real: plain, asynchronous, pipelines, cursors, copies."""

from __future__ import annotations

import asyncio

import psycopg
import psycopg_pool
import pytest
from psycopg import sql

from qmon_sdk.spans import current_span, span
from qmon_sdk.start import stats


@pytest.fixture
def watched(told):
    return told.begin(integrations=("psycopg",))


@pytest.fixture
def shop(watched, postgres):
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE orders (number integer UNIQUE, name text)")
        yield connection


def names(watched, *, beginning=1):
    """What happened after the connection and the table were made."""
    return [span.name for span in watched.spans][beginning + 1 :]


class TestAStatement:
    def test_says_what_was_asked_and_of_whom(self, watched, shop, postgres):
        shop.execute("SELECT name FROM orders WHERE number = 7 AND name = %s", ("geheim",))

        assert {
            "db.system.name": "postgresql",
            "db.namespace": "postgres",
            "server.address": "127.0.0.1",
            "server.port": str(postgres.port),
            "db.operation.name": "SELECT",
            "db.collection.name": "orders",
            "db.query.text": "SELECT name FROM orders WHERE number = ? AND name = %s",
            "db.response.returned_rows": "0",
        } == watched.span("SELECT orders").attributes

    def test_says_how_many_rows_came_or_were_changed(self, watched, shop):
        shop.execute("INSERT INTO orders VALUES (1, 'a'), (2, 'b')")
        shop.execute("SELECT * FROM orders")

        assert "2" == watched.span("INSERT orders").attributes["db.response.affected_rows"]
        assert "2" == watched.span("SELECT orders").attributes["db.response.returned_rows"]

    def test_that_fails_says_the_sqlstate(self, watched, shop):
        shop.execute("INSERT INTO orders VALUES (1)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            shop.execute("INSERT INTO orders VALUES (1)")

        (failed,) = [span for span in watched.spans if span.status == "error"]
        assert "UniqueViolation" == failed.attributes["error.type"]
        assert "23505" == failed.attributes["db.response.status_code"]

    def test_may_be_composed(self, watched, shop):
        query = sql.SQL("SELECT {} FROM {} WHERE number = {}").format(
            sql.Identifier("name"), sql.Identifier("orders"), sql.Literal(7)
        )
        shop.execute(query)

        text = 'SELECT "name" FROM "orders" WHERE number = ?'
        assert text == watched.span("SELECT orders").attributes["db.query.text"]

    @pytest.mark.parametrize("odd", [None, 5, [], b"SELECT 1", "SELEKT", "%", sql.Composed([])])
    def test_of_any_sort_ends_as_without_qmon(self, shop, odd):
        outcomes = []
        for execute in (shop.execute, psycopg.Cursor.execute.__wrapped__):
            try:
                cursor = () if execute == shop.execute else (shop.cursor(),)
                outcomes.append(execute(*cursor, odd).fetchall())
            except Exception as error:  # noqa: BLE001 - whatever it is, it must be the same
                outcomes.append((type(error), str(error)))

        assert outcomes[0] == outcomes[1]
        assert {} == stats().trouble

    def test_is_a_child_of_the_span_around(self, watched, shop):
        with span("request") as request:
            shop.execute("SELECT 1 FROM orders")
            assert request.span_id == current_span().span_id

        assert request.span_id == watched.span("SELECT orders").parent_id


class TestABatch:
    def test_has_a_size_and_no_pipeline_of_its_own(self, watched, shop):
        rows = [(1, "a"), (2, "b")]
        shop.cursor().executemany("INSERT INTO orders VALUES (%s, %s)", rows)

        assert ["BATCH INSERT orders"] == names(watched)
        about = watched.span("BATCH INSERT orders").attributes
        assert "2" == about["db.operation.batch.size"]
        assert "2" == about["db.response.affected_rows"]

    def test_may_come_one_by_one(self, watched, shop):
        rows = ((number, "a") for number in range(3))
        shop.cursor().executemany("INSERT INTO orders VALUES (%s, %s)", rows)

        about = watched.span("BATCH INSERT orders").attributes
        assert "3" == about["db.response.affected_rows"]


class TestAPipeline:
    def test_is_a_span_where_it_waits(self, watched, shop):
        with shop.pipeline():
            shop.execute("INSERT INTO orders VALUES (1)")
            shop.execute("INSERT INTO orders VALUES (2)")

        assert ["INSERT orders", "INSERT orders", "PIPELINE postgres"] == names(watched)
        assert "2" == watched.span("PIPELINE postgres").attributes["db.operation.batch.size"]

    def test_that_waits_for_nothing_is_none(self, watched, shop):
        with shop.pipeline():
            pass

        assert [] == names(watched)


class TestATransaction:
    def test_says_how_it_began_and_ended(self, watched, shop):
        with shop.transaction():
            with shop.transaction():
                shop.execute("SELECT 1 FROM orders")
            with shop.transaction(force_rollback=True):
                pass

        steps = [name.removesuffix(" postgres") for name in names(watched)]
        begun = ["BEGIN", "SAVEPOINT", "SELECT orders", "RELEASE"]
        assert [*begun, "SAVEPOINT", "ROLLBACK TO", "COMMIT"] == steps

    def test_that_nobody_names_ends_with_a_span(self, watched, postgres):
        with psycopg.connect(postgres.dsn) as connection:
            connection.rollback()
            connection.execute("SELECT 1")
            connection.rollback()
            connection.execute("SELECT 1")

        ends = ["SELECT postgres", "ROLLBACK postgres", "SELECT postgres", "COMMIT postgres"]
        assert ends == names(watched, beginning=0)


class TestCursors:
    def test_of_the_server_say_what_they_fetch(self, watched, shop):
        shop.execute("INSERT INTO orders SELECT generate_series(1, 5)")
        with shop.transaction(), shop.cursor("numbers") as cursor:
            cursor.execute("SELECT number FROM orders")
            cursor.itersize = 3

            assert 5 == len(list(cursor))

        fetches = [s for s in watched.spans if s.attributes["db.operation.name"] == "FETCH"]
        assert ["3", "2"] == [s.attributes["db.response.returned_rows"] for s in fetches]

    def test_that_stream_are_open_until_the_last_row(self, watched, shop):
        with span("request") as request:
            for _ in shop.cursor().stream("SELECT generate_series(1, 3)"):
                assert request.span_id == current_span().span_id

        assert request.span_id == watched.span("SELECT postgres").parent_id

    def test_that_stream_may_be_left(self, watched, shop):
        rows = shop.cursor().stream("SELECT generate_series(1, 3)")
        next(rows)
        rows.close()

        assert "unset" == watched.span("SELECT postgres").status

    def test_that_copy_say_how_many_rows(self, watched, shop):
        with shop.cursor().copy("COPY orders FROM STDIN") as copy:
            copy.write_row((1, "a"))
            copy.write_row((2, "b"))

        assert "2" == watched.span("COPY orders").attributes["db.response.affected_rows"]

    def test_that_copy_and_fail_say_so(self, watched, shop):
        with (
            pytest.raises(psycopg.errors.InvalidTextRepresentation),
            shop.cursor().copy("COPY orders FROM STDIN") as copy,
        ):
            copy.write("nonsense\tb\n")

        copied = watched.span("COPY orders")
        assert ("error", "22P02") == (copied.status, copied.attributes["db.response.status_code"])

    @pytest.mark.parametrize("kind", [psycopg.ClientCursor, psycopg.RawCursor])
    def test_of_every_kind_are_watched(self, watched, shop, kind):
        kind(shop).execute("SELECT name FROM orders")

        assert "0" == watched.span("SELECT orders").attributes["db.response.returned_rows"]


class TestAConnection:
    def test_is_a_span(self, watched, shop):
        assert "CONNECT postgres" == watched.spans[0].name

    def test_that_is_refused_says_so(self, watched):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect("host=127.0.0.1 port=1 dbname=shop password=geheim")

        refused = watched.span("CONNECT shop")
        assert ("error", "1") == (refused.status, refused.attributes["server.port"])
        assert "geheim" not in str(refused.attributes)

    def test_with_nonsense_fails_as_without_qmon(self, watched):
        with pytest.raises(psycopg.ProgrammingError):
            psycopg.connect("this is no dsn")

        assert {} == stats().trouble


class TestAsynchronous:
    async def test_says_the_same(self, watched, postgres):
        async with await psycopg.AsyncConnection.connect(postgres.dsn) as connection:
            await connection.execute("CREATE TEMPORARY TABLE orders (number integer)")
            cursor = connection.cursor()
            await cursor.executemany("INSERT INTO orders VALUES (%s)", [(1,), (2,)])
            async with connection.pipeline(), connection.transaction():
                await connection.execute("INSERT INTO orders VALUES (3)")
            async with cursor.copy("COPY orders TO STDOUT") as copy:
                assert b"1\n2\n3\n" == b"".join([bytes(part) async for part in copy])
            assert [(1,), (2,), (3,)] == [r async for r in cursor.stream("TABLE orders")]

        found = {span.name for span in watched.spans}
        wanted = {"CONNECT postgres", "BATCH INSERT orders", "INSERT orders", "COPY orders"}
        assert wanted | {"PIPELINE postgres", "COMMIT postgres", "TABLE postgres"} <= found

    async def test_statements_side_by_side_have_each_their_parent(self, watched, postgres):
        async def request(number):
            async with await psycopg.AsyncConnection.connect(postgres.dsn) as connection:
                with span(f"request {number}") as own:
                    await connection.execute(f"SELECT pg_sleep(0.01) FROM a{number}()")
                    return own.span_id

        parents = await asyncio.gather(*map(request, "123"), return_exceptions=True)
        assert 3 == len(parents)
        asked = [s for s in watched.spans if s.name.startswith("SELECT")]
        requests = {s.span_id for s in watched.spans if s.name.startswith("request")}
        assert requests == {s.parent_id for s in asked}

    async def test_a_cancelled_statement_is_no_error(self, watched, postgres):
        async with await psycopg.AsyncConnection.connect(postgres.dsn) as connection:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await connection.execute("SELECT pg_sleep(5)")

        (asked,) = [s for s in watched.spans if s.name == "SELECT postgres"]
        assert ("unset", "CancelledError") == (asked.status, asked.attributes["error.type"])

    async def test_pools_are_watched(self, watched, postgres):
        async with (
            psycopg_pool.AsyncConnectionPool(postgres.dsn, min_size=1, open=False) as pool,
            pool.connection() as connection,
        ):
            await connection.execute("SELECT 1 FROM pg_class")

        assert watched.span("SELECT pg_class")
