"""PostgreSQL by asyncpg, for real: statements, prepared ones, cursors, copies, pools."""

from __future__ import annotations

import asyncio
import io

import asyncpg
import pytest

from qmon_sdk.spans import span
from qmon_sdk.start import stats


@pytest.fixture
def watched(told):
    return told.begin(integrations=("asyncpg",))


@pytest.fixture
async def shop(watched, postgres):
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("CREATE TEMPORARY TABLE orders (number integer UNIQUE, name text)")
    yield connection
    await connection.close()


class TestAStatement:
    async def test_says_what_was_asked_and_of_whom(self, watched, shop, postgres):
        await shop.fetch("SELECT name FROM orders WHERE number = 7 AND name = $1", "geheim")

        assert {
            "db.system.name": "postgresql",
            "db.namespace": "postgres",
            "server.address": "127.0.0.1",
            "server.port": str(postgres.port),
            "db.operation.name": "SELECT",
            "db.collection.name": "orders",
            "db.query.text": "SELECT name FROM orders WHERE number = ? AND name = $1",
            "db.response.returned_rows": "0",
        } == watched.span("SELECT orders").attributes

    async def test_says_how_many_rows_came_or_were_changed(self, watched, shop):
        assert "INSERT 0 2" == await shop.execute("INSERT INTO orders VALUES (1), (2)")
        assert 1 == (await shop.fetchrow("SELECT number FROM orders"))["number"]
        assert 5 == await shop.fetchval("SELECT 5")

        assert "2" == watched.span("INSERT orders").attributes["db.response.affected_rows"]
        assert "1" == watched.span("SELECT orders").attributes["db.response.returned_rows"]

    async def test_that_fails_says_the_sqlstate(self, watched, shop):
        with pytest.raises(asyncpg.UndefinedTableError):
            await shop.fetch("SELECT 1 FROM nothing")

        failed = watched.span("SELECT nothing")
        assert ("error", "42P01") == (failed.status, failed.attributes["db.response.status_code"])

    async def test_is_a_batch_by_its_size(self, watched, shop):
        await shop.executemany("INSERT INTO orders VALUES ($1)", [(1,), (2,)])

        about = watched.span("BATCH INSERT orders").attributes
        assert "2" == about["db.operation.batch.size"]

    async def test_that_is_prepared_is_a_span_for_each_use(self, watched, shop):
        prepared = await shop.prepare("SELECT $1::int AS number FROM pg_class LIMIT 1")
        for number in (1, 2):
            assert number == await prepared.fetchval(number)

        assert 2 == len([s for s in watched.spans if s.name == "SELECT pg_class"])

    @pytest.mark.parametrize("odd", [None, 5, [], "SELEKT"])
    async def test_of_any_sort_fails_as_without_qmon(self, shop, odd):
        outcomes = []
        for fetch in (shop.fetch, lambda q: asyncpg.Connection.fetch.__wrapped__(shop, q)):
            try:
                outcomes.append(await fetch(odd))
            except Exception as error:  # noqa: BLE001 - whatever it is, it must be the same
                outcomes.append((type(error), str(error)))

        assert outcomes[0] == outcomes[1]
        assert {} == stats().trouble


class TestMore:
    async def test_transactions_begin_and_end(self, watched, shop):
        async with shop.transaction():
            pass
        with pytest.raises(ZeroDivisionError):
            async with shop.transaction():
                raise ZeroDivisionError

        steps = [s.attributes["db.operation.name"] for s in watched.spans][2:]
        assert ["BEGIN", "COMMIT", "BEGIN", "ROLLBACK"] == steps

    async def test_cursors_fetch_in_pieces(self, watched, shop):
        async with shop.transaction():
            numbers = shop.cursor("SELECT generate_series(1, 5)", prefetch=3)
            assert 5 == len([row async for row in numbers])

        pieces = [s.attributes for s in watched.spans if s.name == "SELECT postgres"]
        assert ["3", "2"] == [piece["db.response.returned_rows"] for piece in pieces]

    async def test_copies_say_how_many_rows(self, watched, shop):
        await shop.copy_records_to_table("orders", records=[(1, "a"), (2, "b")])
        await shop.copy_from_query("SELECT * FROM orders", output=io.BytesIO())

        copies = [s for s in watched.spans if s.attributes["db.operation.name"] == "COPY"]
        assert ["2", "2"] == [s.attributes["db.response.affected_rows"] for s in copies]

    async def test_pools_are_watched(self, watched, postgres):
        async with asyncpg.create_pool(postgres.url, min_size=1, max_size=2) as pool:
            await asyncio.gather(*[pool.fetch("SELECT 1 FROM pg_class") for _ in "123"])

        assert 3 == len([s for s in watched.spans if s.name == "SELECT pg_class"])
        assert [s for s in watched.spans if s.name == "CONNECT postgres"]

    async def test_statements_side_by_side_have_each_their_parent(self, watched, postgres):
        async def request(number):
            with span(f"request {number}") as own:
                await pool.fetch("SELECT pg_sleep(0.01) FROM pg_class LIMIT 1")
                return own.span_id

        async with asyncpg.create_pool(postgres.url, min_size=3, max_size=3) as pool:
            parents = await asyncio.gather(*map(request, "123"))

        asked = [s for s in watched.spans if s.name == "SELECT pg_class"]
        assert sorted(parents) == sorted(s.parent_id for s in asked)

    async def test_a_refused_connection_says_so(self, watched):
        with pytest.raises(ConnectionRefusedError):
            await asyncpg.connect("postgresql://u:geheim@127.0.0.1:1/shop")

        refused = watched.span("CONNECT shop")
        assert ("error", "1") == (refused.status, refused.attributes["server.port"])
        assert "geheim" not in str(refused.attributes)
