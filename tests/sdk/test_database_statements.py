"""Statements: what kind they are, and which table they are about."""

from __future__ import annotations

import pytest

from qmon_sdk.integrations import _database
from qmon_sdk.integrations._database import MOST_STATEMENTS, peer, rows
from qmon_sdk.integrations._openings import closed, opened
from qmon_sdk.integrations._sites import Shelf
from qmon_sdk.integrations._statement import summary

SUMMARIES = {
    "select a, b from orders where x = ?": ("SELECT", "orders"),
    "SELECT * FROM a JOIN b ON a.x = b.x": ("SELECT", ""),
    "SELECT * FROM a, b": ("SELECT", ""),
    "SELECT [a] FROM [dbo].[orders] o": ("SELECT", "dbo.orders"),
    "SELECT 1 FROM a WHERE EXISTS (SELECT 1 FROM b)": ("SELECT", ""),
    "(SELECT 1 FROM a) UNION (SELECT 2 FROM a)": ("SELECT", "a"),
    "SELECT * FROM generate_series(?, ?)": ("SELECT", ""),
    "INSERT INTO shop.orders (a, b) VALUES (?)": ("INSERT", "shop.orders"),
    "INSERT OR IGNORE INTO t(a) VALUES(?)": ("INSERT", "t"),
    "insert into t select * from u": ("INSERT", "t"),
    'UPDATE "Orders" SET a = ?': ("UPDATE", "Orders"),
    "DELETE FROM orders WHERE a IN (SELECT b FROM c)": ("DELETE", "orders"),
    "with x as (select 1 from a) insert into b select * from x": ("INSERT", "b"),
    "WITH x AS (VALUES (?)) SELECT * FROM x": ("SELECT", "x"),
    "CREATE UNIQUE INDEX i ON t (a)": ("CREATE INDEX", ""),
    "create temp table x(a int)": ("CREATE TABLE", "x"),
    "CREATE TABLE IF NOT EXISTS foo (a int)": ("CREATE TABLE", "foo"),
    "CREATE OR REPLACE FUNCTION f() RETURNS int AS ?": ("CREATE FUNCTION", ""),
    "drop table if exists a": ("DROP TABLE", "a"),
    "TRUNCATE TABLE a": ("TRUNCATE", "a"),
    "COPY orders (a, b) FROM STDIN": ("COPY", "orders"),
    "PRAGMA table_info(x)": ("PRAGMA", ""),
    "BEGIN;": ("BEGIN", ""),
    "": ("", ""),
    "?": ("", ""),
    "((((": ("", ""),
    "WITH": ("WITH", ""),
}


HOSTILE = ("__hash__", "__eq__", "__str__", "__repr__", "__len__", "__getitem__", "__iter__")


def said(what):
    """The name and attributes of a site, or of a span that has none of its own."""
    site, more = what if isinstance(what, tuple) else (what, {})
    return site.name, {**site.attributes, **more}


class TestASummary:
    @pytest.mark.parametrize("text", SUMMARIES)
    def test_names_operation_and_table(self, text):
        assert SUMMARIES[text] == summary(text)

    @pytest.mark.parametrize("part", ["(", "a.", "WITH a AS (", "FROM ", "CREATE a ", '"'])
    def test_of_a_long_text_takes_no_long_time(self, part):
        assert summary(part * 2000)


class TestAPeer:
    def test_is_one_for_each_place(self):
        assert peer("postgresql", "shop", port="5432") is peer("postgresql", "shop", port=5432)

    @pytest.mark.parametrize("odd", [None, b"\xff", object(), "x" * 10_000, 5])
    def test_takes_whatever_a_driver_says(self, told, odd):
        assert peer("postgresql", odd, address=odd, port=odd).operation("COMMIT")

    def test_tells_nothing_while_nobody_records(self):
        assert peer("postgresql", "shop").statement("SELECT 1") is None

    def test_names_spans_by_table_or_database_or_server(self, told):
        at = peer("postgresql", address="db", port=5432)

        assert "SELECT orders" == said(at.statement("SELECT 1 FROM orders"))[0]
        assert "COMMIT shop" == said(peer("postgresql", "shop").operation("COMMIT"))[0]
        assert "COMMIT db:5432" == said(at.operation("COMMIT"))[0]
        assert "GET" == said(peer("redis", "0").operation("GET"))[0]

    def test_knows_a_bounded_number_of_statements(self, told):
        at = peer("sqlite", "bounded")
        for number in range(MOST_STATEMENTS + 10):
            at.statement(f"SELECT {number} FROM t{number}")
            at.operation(f"COMMAND {number}")

        assert len(at.statements) <= MOST_STATEMENTS
        assert len(at.operations) <= MOST_STATEMENTS

    def test_keeps_no_long_statement(self, told):
        at = peer("sqlite", "long")
        site = at.statement("SELECT '" + "x" * 1_000_000 + "' FROM orders")

        assert "SELECT ?" == said(site)[1]["db.query.text"]
        assert not at.statements

    @pytest.mark.parametrize("kind", [str, bytes])
    def test_runs_no_code_of_a_statement(self, told, kind):
        hostile = type("Hostile", (kind,), dict.fromkeys(HOSTILE, lambda *_: 1 / 0))
        text = "SELECT 1 FROM orders"
        site = peer("sqlite").statement(hostile(text if kind is str else text.encode()))

        assert "SELECT orders" == said(site)[0]

    def test_hides_secrets_that_stand_where_names_do(self, told):
        told.begin(scrub=("magic",))
        site = peer("sqlite").statement('SELECT "sk_live_abcdefghijklmnopqrstuvwx" FROM orders')

        assert "SELECT" in said(site)[1]["db.query.text"]
        assert "sk_live" not in str(said(site))

    def test_forgets_what_was_written_for_another_client(self, told):
        at = peer("sqlite", "again")
        before = said(at.statement("SELECT 1 FROM magic"))
        told.begin(scrub=False)
        at.statement("SELECT 1")

        assert ["SELECT 1"] == list(at.statements)
        assert before

    def test_there_is_a_bounded_number_of(self):
        for number in range(_database.MOST_PEERS + 10):
            peer("sqlite", f"file-{number}")

        assert len(_database._peers) <= _database.MOST_PEERS


class TestRows:
    def test_that_are_not_known_are_not_told(self):
        assert rows() is None
        assert rows(affected=-1, returned=-1, batch=iter(())) is None

    def test_are_told_as_returned_or_affected(self):
        assert ("db.response.returned_rows", 0) == rows(returned=0)
        assert ("db.response.affected_rows", 2) == rows(affected=2, batch=[1])
        assert {"db.operation.batch.size": 2} == rows(batch=(1, 2))


class TestSites:
    def test_beyond_the_budget_are_said_by_their_spans(self, told):
        shelf = Shelf(budget=100)
        first = shelf.site("SELECT a", {"db.query.text": "SELECT 1 FROM a"})
        second = shelf.site("SELECT b", {"db.query.text": "SELECT 1 FROM b" + " " * 100})

        assert {"db.query.text": "SELECT 1 FROM a"} == first.attributes
        assert ("SELECT b", {}) == (second[0].name, second[0].attributes)
        closed(opened(second), ("db.response.affected_rows", 1))
        assert {"db.query.text", "db.response.affected_rows"} == set(
            told.span("SELECT b").attributes
        )

    def test_say_what_has_few_values(self):
        shelf = Shelf()
        site = shelf.site("GET", {"db.operation.name": "GET"})
        hit, rest = shelf.variant(site, ("cache.hit", True))

        assert ("true", None) == (hit.attributes["cache.hit"], rest)
        assert (site, {"rows": 7}) == shelf.variant(site, ("rows", 7))

    def test_that_are_alike_cost_once(self):
        shelf = Shelf()
        shelf.site("COMMIT", {"db.namespace": "shop"})
        before = shelf.left
        shelf.site("COMMIT", {"db.namespace": "shop"})

        assert before == shelf.left
