"""Laws of statements without their data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qmon_sdk.sql_text import MAX_TEXT, sanitized

SECRET = "zq7"
SYSTEMS = st.sampled_from(["", "postgresql", "sqlite", "mysql", "oracle.db", "other"])
PIECES = (
    *("'", '"', "`", "\\", "$", "$$", "$a$", "--", "/*", "*/", "#", "\n", "\r", " ", ",", "(", ")"),
    *(".", ":", "::", "?", "%s", "%(a)s", "$1", ":a", "-", "1", "e", "E'", "x'", "q'[", "_a'", "["),
    *("]", "in", "IN (", "values", "VALUES (1), (", "into", "from", "as", "a", "ß", "\ud800", "\0"),
    *("''", "'a'", '"a"', "1e", "+", "0x", "n'", "U&'", "b" * 1000),
)
TEXTS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.text())
WORDS = ("SELECT", "a", "t.b", "=", ",", "(", ")", "FROM", "IN (", "VALUES (", "-- x\n", "/* y */")


def quoted(text, system):
    """Write a text as a literal of a system does."""
    text = text.replace("'", "''")
    return "'" + (text.replace("\\", "\\\\") if system in {"mysql", ""} else text) + "'"


@given(TEXTS, SYSTEMS)
def test_sanitizing_twice_is_sanitizing_once(text, system):
    once = sanitized(text, system)
    assert once == sanitized(once, system)
    assert len(once) <= MAX_TEXT


@given(TEXTS, TEXTS, TEXTS)
def test_no_literal_survives(before, secret, after):
    for system in ("postgresql", "mysql", ""):
        literal = quoted(f"{secret}{SECRET}{secret}", system)
        assert SECRET not in sanitized(f"SELECT a FROM t WHERE b = {literal}", system)


@given(
    st.lists(st.one_of(st.sampled_from(WORDS), TEXTS.map(lambda text: (text,))), max_size=20),
    st.sampled_from(["postgresql", "sqlite", "mysql", ""]),
)
def test_no_literal_survives_among_others(parts, system):
    texts = [
        quoted(part[0] + SECRET + part[0], system) if isinstance(part, tuple) else part
        for part in parts
    ]
    assert SECRET not in sanitized(" ".join(texts), system)


@given(st.lists(st.sampled_from(WORDS), max_size=20), st.integers(10**6, 10**9))
def test_no_number_survives(words, number):
    assert str(number) not in sanitized(" ".join([*words, str(number), *words]))


@given(st.binary() | st.none() | st.floats() | st.lists(st.text()))
def test_anything_has_a_text(query):
    assert isinstance(sanitized(query), str)
