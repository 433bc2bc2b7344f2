"""SQLite, for real: what spans say, and that nobody notices."""

from __future__ import annotations

import pickle
import sqlite3
import sys
from contextlib import closing
from functools import partial
from sqlite3 import connect

import pytest

from qmon_sdk.client import current
from qmon_sdk.spans import current_span, span
from qmon_sdk.start import stats


@pytest.fixture
def watched(told):
    return told.begin(integrations=("sqlite3",))


@pytest.fixture
def shop(watched, tmp_path):
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.execute("CREATE TABLE orders (number INTEGER PRIMARY KEY, name TEXT)")
    yield connection
    connection.close()


class TestAStatement:
    def test_says_what_was_asked_and_of_whom(self, watched, shop, tmp_path):
        shop.execute("SELECT name FROM orders WHERE number = 7")

        about = watched.span("SELECT orders")
        assert ("client", "unset") == (about.kind, about.status)
        assert {
            "db.system.name": "sqlite",
            "db.namespace": str(tmp_path / "shop.db"),
            "db.operation.name": "SELECT",
            "db.collection.name": "orders",
            "db.query.text": "SELECT name FROM orders WHERE number = ?",
        } == about.attributes

    def test_says_how_many_rows_it_changed(self, watched, shop):
        shop.execute("INSERT INTO orders VALUES (1, 'a'), (2, 'b')")

        assert "2" == watched.span("INSERT orders").attributes["db.response.affected_rows"]

    def test_that_returns_rows_does_not_know_how_many(self, watched, shop):
        (number,) = shop.execute("INSERT INTO orders VALUES (7, 'a') RETURNING number").fetchone()

        assert 7 == number
        assert "db.response.affected_rows" not in watched.span("INSERT orders").attributes

    def test_keeps_no_parameter_and_no_literal(self, watched, shop):
        shop.execute("INSERT INTO orders VALUES (?, 'geheim')", (314159,))
        shop.executemany("INSERT INTO orders VALUES (?, ?)", [(271828, "geheim")])

        told = str([vars_of(span) for span in watched.spans])
        assert "geheim" not in told
        assert not any(number in told for number in ("314159", "271828"))

    def test_is_a_batch_by_its_size(self, watched, shop):
        shop.executemany("INSERT INTO orders VALUES (?, ?)", [(1, "a"), (2, "b"), (3, "c")])

        about = watched.span("BATCH INSERT orders").attributes
        assert "3" == about["db.operation.batch.size"]

    def test_that_fails_says_so_and_raises_the_same(self, watched, shop):
        shop.execute("INSERT INTO orders VALUES (1, 'a')")
        with pytest.raises(sqlite3.IntegrityError):
            shop.execute("INSERT INTO orders VALUES (1, 'b')")

        failed = [span for span in watched.spans if span.status == "error"]
        assert ["IntegrityError"] == [span.attributes["error.type"] for span in failed]
        assert "SQLITE_CONSTRAINT_PRIMARYKEY" == failed[0].attributes["db.response.status_code"]

    def test_is_a_child_of_the_span_around_and_the_parent_of_what_it_calls(self, watched, shop):
        shop.create_function("here", 0, lambda: current_span().span_id)
        with span("request") as request:
            (inside,) = shop.execute("SELECT here() FROM sqlite_master").fetchone()

            assert request.span_id == current_span().span_id
        asked = watched.span("SELECT sqlite_master")
        assert [inside, request.span_id] == [asked.span_id, asked.parent_id]

    @pytest.mark.parametrize("odd", [None, 5, [], b"SELECT 1", "SELECT \0 1", "\ud800"])
    def test_of_any_sort_fails_as_without_qmon(self, shop, odd):
        def outcome(connection):
            try:
                return connection.execute(odd).fetchall()
            except Exception as error:  # noqa: BLE001 - whatever it is, it must be the same
                return type(error), str(error)

        with sqlite3.Connection(":memory:") as plain:
            assert outcome(plain) == outcome(shop)
        assert {} == stats().trouble
        plain.close()


class TestATransaction:
    def test_ends_with_a_span(self, watched, shop):
        with shop:
            shop.execute("INSERT INTO orders VALUES (1, 'a')")
        shop.execute("INSERT INTO orders VALUES (2, 'b')")
        shop.rollback()

        assert ["COMMIT", "ROLLBACK"] == [operation(s) for s in watched.spans if ending(s)]

    def test_that_is_none_has_none(self, watched, shop):
        shop.commit()
        shop.rollback()
        with shop:
            pass

        assert not [span for span in watched.spans if ending(span)]

    def test_is_rolled_back_by_an_error(self, watched, shop):
        with pytest.raises(sqlite3.OperationalError), shop:
            shop.execute("INSERT INTO orders VALUES (1, 'a')").connection.execute("SELEKT")

        assert ["ROLLBACK"] == [operation(s) for s in watched.spans if ending(s)]
        assert [] == shop.execute("SELECT * FROM orders").fetchall()


class Account(sqlite3.Connection):
    """A connection of the application, with a method of its own before the driver's."""

    def execute(self, statement, *parameters):
        return super().execute(statement.replace("accounts", "orders"), *parameters)


class Loud(sqlite3.Cursor):
    """A cursor of the application."""

    def shout(self):
        return self.fetchone()[0].upper()


class TestNobodyNotices:
    def test_the_classes(self, shop):
        cursor = shop.execute("SELECT 1")

        assert isinstance(shop, sqlite3.Connection)
        assert isinstance(cursor, sqlite3.Cursor)
        assert cursor.connection is shop
        assert repr(shop).startswith("<sqlite3.Connection object at ")

    def test_factories_of_the_application(self, watched):
        account = sqlite3.connect(":memory:", factory=Account)
        account.execute("CREATE TABLE accounts (name TEXT)")
        account.execute("INSERT INTO accounts VALUES ('ada')")
        loud = account.cursor(Loud)

        assert "ADA" == loud.execute("SELECT name FROM orders").shout()
        assert isinstance(account, Account)
        assert isinstance(loud, Loud)
        assert watched.span("SELECT orders")
        account.close()

    def test_a_factory_that_is_a_function(self):
        connection = sqlite3.connect(":memory:", factory=partial(Account))

        assert Account is type(connection)
        connection.close()

    @pytest.mark.skipif(sys.version_info >= (3, 15), reason="not by position any more")
    @pytest.mark.filterwarnings("ignore:Passing more than 1 positional argument")
    def test_a_factory_by_position(self, watched):
        connection = sqlite3.connect(":memory:", 5.0, 0, "", True, Account)

        assert isinstance(connection, Account)
        connection.close()

    def test_row_factories_backups_and_dumps(self, shop):
        shop.row_factory = sqlite3.Row
        shop.execute("INSERT INTO orders VALUES (1, 'a')")
        shop.commit()
        copy = sqlite3.connect(":memory:")
        shop.backup(copy)

        assert "a" == shop.execute("SELECT * FROM orders").fetchone()["name"]
        assert [(1, "a")] == copy.execute("SELECT * FROM orders").fetchall()
        assert any("INSERT" in line for line in copy.iterdump())
        copy.close()

    def test_pickling_that_fails(self, shop):
        with pytest.raises(TypeError, match="cannot pickle"):
            pickle.dumps(shop)

    def test_a_connection_that_is_closed(self, shop):
        shop.close()
        for use in (shop.commit, shop.rollback, lambda: shop.execute("SELECT 1")):
            with pytest.raises(sqlite3.ProgrammingError):
                use()

        assert {} == stats().trouble


class TestWhoHasConnectByItsNameAlready:
    def test_is_watched_too(self, watched):
        with closing(connect(":memory:")) as connection:
            connection.execute("SELECT 1")

        assert "sqlite" in {span.attributes.get("db.system.name") for span in watched.spans}

    def test_has_it_back_afterwards(self, told):
        before = connect
        told.begin(integrations=("sqlite3",))
        assert connect is not before
        told.begin(integrations=())

        assert connect is before is sqlite3.connect


class TestRemoval:
    def test_silences_connections_that_stay_open(self, watched, shop):
        current().integrations["sqlite3"].remove()
        before = len(watched.spans)
        shop.execute("INSERT INTO orders VALUES (1, 'a')")
        shop.commit()

        assert before == len(watched.spans)
        with closing(sqlite3.connect(":memory:")) as another:
            assert sqlite3.Connection is type(another)

    def test_is_forgotten_when_it_is_installed_again(self, watched, shop):
        told = watched.begin(integrations=("sqlite3",))
        shop.execute("SELECT max(number) FROM orders")

        assert told.span("SELECT orders")


def vars_of(span):
    return span.name, span.attributes


def operation(span):
    return span.attributes["db.operation.name"]


def ending(span):
    return operation(span) in {"COMMIT", "ROLLBACK"}
