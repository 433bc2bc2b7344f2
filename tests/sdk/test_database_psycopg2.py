"""PostgreSQL by psycopg2, for real: factories, extras, copies, and that nobody notices."""

from __future__ import annotations

import io

import psycopg2
import pytest
from psycopg2 import extensions, extras, sql

from qmon_sdk.client import current
from qmon_sdk.start import stats


@pytest.fixture
def watched(told):
    return told.begin(integrations=("psycopg2",))


@pytest.fixture
def shop(watched, postgres):
    connection = psycopg2.connect(postgres.dsn)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE orders (number integer UNIQUE, name text)")
    connection.commit()
    yield connection
    connection.close()


class TestAStatement:
    def test_says_what_was_asked_and_of_whom(self, watched, shop, postgres):
        with shop.cursor() as cursor:
            cursor.execute("SELECT name FROM orders WHERE name = %s", ("geheim",))

        assert {
            "db.system.name": "postgresql",
            "db.namespace": "postgres",
            "server.address": "127.0.0.1",
            "server.port": str(postgres.port),
            "db.operation.name": "SELECT",
            "db.collection.name": "orders",
            "db.query.text": "SELECT name FROM orders WHERE name = %s",
            "db.response.returned_rows": "0",
        } == watched.span("SELECT orders").attributes

    def test_that_fails_says_the_sqlstate(self, watched, shop):
        with pytest.raises(psycopg2.errors.UndefinedColumn), shop.cursor() as cursor:
            cursor.execute("SELECT nothing FROM orders")

        failed = watched.span("SELECT orders")
        assert ("error", "42703") == (failed.status, failed.attributes["db.response.status_code"])

    def test_is_a_batch_by_its_size(self, watched, shop):
        with shop.cursor() as cursor:
            cursor.executemany("INSERT INTO orders VALUES (%s)", [(1,), (2,)])

        about = watched.span("BATCH INSERT orders").attributes
        assert "2" == about["db.operation.batch.size"]

    @pytest.mark.parametrize("odd", [None, 5, [], b"SELECT 1", "SELEKT", sql.Composed([])])
    def test_of_any_sort_ends_as_without_qmon(self, shop, odd):
        outcomes = []
        for kind in (None, extensions.cursor):
            cursor = shop.cursor() if kind is None else kind(shop)
            try:
                outcomes.append(cursor.execute(odd) or cursor.fetchall())
            except Exception as error:  # noqa: BLE001 - whatever it is, it must be the same
                outcomes.append((type(error), str(error)))
            shop.rollback()

        assert outcomes[0] == outcomes[1]
        assert {} == stats().trouble


class TestATransaction:
    def test_ends_with_a_span(self, watched, shop):
        with shop, shop.cursor() as cursor:
            cursor.execute("SELECT 1")
        with pytest.raises(psycopg2.errors.SyntaxError), shop, shop.cursor() as cursor:
            cursor.execute("SELEKT")
        shop.rollback()

        ends = [s.name for s in watched.spans if s.name.startswith(("COMMIT", "ROLLBACK"))]
        assert ["COMMIT postgres", "COMMIT postgres", "ROLLBACK postgres"] == ends


class TestNobodyNotices:
    def test_the_classes(self, shop):
        assert isinstance(shop, extensions.connection)
        assert isinstance(shop.cursor(), extensions.cursor)
        assert repr(shop).startswith("<connection object at ")

    @pytest.mark.parametrize(
        "kind", [extras.DictCursor, extras.RealDictCursor, extras.NamedTupleCursor]
    )
    def test_cursors_of_the_extras(self, watched, shop, kind):
        with shop.cursor(cursor_factory=kind) as cursor:
            cursor.execute("SELECT 5 AS number")
            row = cursor.fetchone()

        assert isinstance(cursor, kind)
        assert 5 == (row.number if kind is extras.NamedTupleCursor else row["number"])
        assert watched.span("SELECT postgres")

    def test_connections_of_the_extras(self, watched, postgres):
        connection = psycopg2.connect(postgres.dsn, connection_factory=extras.DictConnection)
        cursor = connection.cursor()
        cursor.execute("SELECT 5 AS number")

        assert isinstance(connection, extras.DictConnection)
        assert 5 == cursor.fetchone()["number"]
        connection.close()

    def test_a_default_cursor_of_the_application(self, watched, postgres):
        connection = psycopg2.connect(postgres.dsn, cursor_factory=extras.RealDictCursor)
        cursor = connection.cursor()
        cursor.execute("SELECT 5 AS number")

        assert {"number": 5} == dict(cursor.fetchone())
        assert watched.span("SELECT postgres")
        connection.close()

    def test_execute_values_and_batches(self, watched, shop):
        with shop.cursor() as cursor:
            extras.execute_values(cursor, "INSERT INTO orders VALUES %s", [(1, "a"), (2, "b")])
            extras.execute_batch(cursor, "INSERT INTO orders VALUES (%s)", [(3,), (4,)])

        inserts = [s.attributes for s in watched.spans if s.name == "INSERT orders"]
        assert "INSERT INTO orders VALUES (?)" == inserts[0]["db.query.text"]
        assert "2" == inserts[0]["db.response.affected_rows"]

    def test_registering_types(self, shop):
        extras.register_uuid(conn_or_curs=shop)
        extras.register_default_jsonb(conn_or_curs=shop.cursor())
        extensions.register_type(extensions.UNICODE, shop)

        with shop.cursor() as cursor:
            cursor.execute("""SELECT '{"a": 1}'::jsonb""")
            assert ({"a": 1},) == cursor.fetchone()

    def test_cursors_of_the_server(self, watched, shop):
        with shop.cursor("numbers", withhold=False) as cursor:
            cursor.execute("SELECT generate_series(1, 3)")
            assert [(1,), (2,), (3,)] == cursor.fetchall()

        assert watched.span("SELECT postgres")

    def test_copying(self, watched, shop):
        with shop.cursor() as cursor:
            cursor.copy_from(io.StringIO("1\ta\n2\tb\n"), "orders")
            out = io.StringIO()
            cursor.copy_expert("COPY orders TO STDOUT", out)

        assert "1\ta\n2\tb\n" == out.getvalue()
        assert "2" == watched.span("COPY orders").attributes["db.response.affected_rows"]
        assert watched.span("COPY postgres")

    def test_composed_statements(self, watched, shop):
        with shop.cursor() as cursor:
            query = sql.SQL("SELECT * FROM {} WHERE name = {}")
            cursor.execute(query.format(sql.Identifier("orders"), sql.Literal("geheim")))

        asked = watched.span("SELECT orders").attributes["db.query.text"]
        assert 'SELECT * FROM "orders" WHERE name = ?' == asked

    def test_a_connection_that_is_closed(self, shop):
        shop.close()
        for use in (shop.commit, shop.rollback, shop.cursor):
            with pytest.raises(psycopg2.InterfaceError):
                use()

        assert {} == stats().trouble


class TestAConnection:
    def test_that_is_refused_says_so(self, watched):
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect("host=127.0.0.1 port=1 dbname=shop password=geheim")

        refused = watched.span("CONNECT shop")
        assert ("error", "1") == (refused.status, refused.attributes["server.port"])
        assert "geheim" not in str(refused.attributes)

    def test_stays_silent_when_nobody_watches_any_more(self, watched, shop):
        current().integrations["psycopg2"].remove()
        before = len(watched.spans)
        with shop, shop.cursor() as cursor:
            cursor.execute("SELECT 1")

        assert before == len(watched.spans)
