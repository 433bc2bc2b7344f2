"""What a statement may tell: what was asked, never about whom."""

from __future__ import annotations

import time

import pytest

from qmon_sdk.sql_text import MAX_TEXT, sanitized


class TestLiterals:
    @pytest.mark.parametrize(
        ("statement", "text"),
        [
            ("SELECT 'Ann', 'it''s'", "SELECT ?, ?"),
            ("SELECT E'it\\'s', X'ff', N'x', U&'x', _utf8'x'", "SELECT ?, ?, ?, ?, ?"),
            ("SELECT 1, -2.5e-3, .5, 0xFF, 1_000", "SELECT ?, -?, ?, ?, ?"),
            ("SELECT $$it's$$, $a$b$$c$a$", "SELECT ?, ?"),
            ("SELECT t1.c2, v$session FROM t1", "SELECT t1.c2, v$session FROM t1"),
            ("SELECT NULL, TRUE", "SELECT NULL, TRUE"),
            ("SELECT 'never closed", "SELECT ?"),
        ],
    )
    def test_become_question_marks(self, statement, text):
        assert sanitized(statement) == text

    @pytest.mark.parametrize("statement", ["%s", "$1", ":name", "?", "%(name)s"])
    def test_placeholders_are_none(self, statement):
        assert sanitized(f"SELECT {statement} FROM t") == f"SELECT {statement} FROM t"

    def test_a_cast_is_no_placeholder(self):
        assert sanitized("SELECT a::int, b[1:2]") == "SELECT a::int, b[?:?]"


class TestRemarks:
    @pytest.mark.parametrize(
        "statement",
        ["SELECT a -- it's\nFROM t", "SELECT a /* it's */ FROM t", "SELECT\ta\n  FROM t\n"],
    )
    def test_and_line_breaks_are_a_space(self, statement):
        assert sanitized(statement) == "SELECT a FROM t"

    def test_of_mysql_begin_with_a_sharp(self):
        assert sanitized("SELECT a # it's\nFROM t", "mysql") == "SELECT a FROM t"

    def test_within_remarks_hide_the_rest(self):
        assert sanitized("SELECT a /* b /* c */ d */ FROM t") == "SELECT a ?"


class TestLists:
    @pytest.mark.parametrize(
        ("statement", "text"),
        [
            ("a IN (1, 2, 3) AND b = 4", "a IN (?) AND b = ?"),
            ("a IN ($1, $2,$3)", "a IN (?)"),
            ("a IN (1)", "a IN (?)"),
            ("VALUES (1, 'a'), (2, 'b'),(3, 'c') RETURNING id", "VALUES (?) RETURNING id"),
            ("f(1, 2)", "f(?, ?)"),
            ("a IN (SELECT b FROM c LIMIT 1, 2)", "a IN (SELECT b FROM c LIMIT ?, ?)"),
        ],
    )
    def test_of_any_length_read_the_same(self, statement, text):
        assert sanitized(statement) == text

    def test_of_thousands_fit(self):
        assert sanitized(f"a IN ({'?,' * 4000}?) AND b") == "a IN (?) AND b"


class TestDoubleQuotes:
    @pytest.mark.parametrize(
        ("system", "text"),
        [
            ("postgresql", 'SELECT "t"."a" FROM "t" WHERE "b" = "c"'),
            ("sqlite", 'SELECT "t"."a" FROM "t" WHERE ? = ?'),
            ("mysql", 'SELECT "t"."a" FROM ? WHERE ? = ?'),
            ("", 'SELECT "t"."a" FROM ? WHERE ? = ?'),
        ],
    )
    def test_hold_names_where_no_text_can_stand(self, system, text):
        assert sanitized('SELECT "t"."a" FROM "t" WHERE "b" = "c"', system) == text

    def test_hold_the_columns_that_sqlite_is_to_fill(self):
        statement = 'INSERT INTO "t" ("a", "b") VALUES (?, ?)'
        assert sanitized(statement, "sqlite") == 'INSERT INTO "t" ("a", "b") VALUES (?)'


class TestBackslashes:
    def test_escape_in_mysql(self):
        assert sanitized("a = 'it\\'s' AND b", "mysql") == "a = ? AND b"

    def test_are_themselves_in_the_standard(self):
        assert sanitized("a = 'C:\\' AND b = 'it'", "postgresql") == "a = ? AND b = ?"

    def test_hide_the_rest_where_nobody_knows(self):
        assert sanitized("a = 'C:\\' AND b = 'it'") == "a = ?"


class TestAnything:
    @pytest.mark.parametrize("query", [None, 3, object(), ["SELECT 1"], b"\xff'x", "", "\ud800 'x"])
    def test_can_be_asked_about(self, query):
        assert "x" not in sanitized(query)

    def test_is_read_as_it_is_and_not_as_its_class_says(self):
        class Loud(str):
            __slots__ = ()

            def __getitem__(self, _):
                raise RuntimeError

        assert sanitized(Loud("SELECT 'x'")) == "SELECT ?"

    @pytest.mark.parametrize("system", ["", "mysql", "sqlite", "postgresql"])
    @pytest.mark.parametrize(
        "seed",
        [
            *(
                "'",
                '"',
                "$",
                "$a$",
                "#",
                "/*",
                "/**",
                "-",
                "(",
                "`",
                "1,",
                "[a ",
                "e-",
                "\\",
                "'\\",
            ),
            *("a IN (?, ", "VALUES (1),", "x", "\ud800", " "),
        ],
    )
    def test_costs_little_however_large(self, seed, system):
        began = time.perf_counter()
        text = sanitized(seed * (10_000_000 // len(seed)), system)
        assert len(text) <= MAX_TEXT
        assert time.perf_counter() - began < 2
