"""Patterns fit what Python's own expressions fit, in time that grows with the text alone."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.alarms.pattern_text import LONGEST
from qmon_agent.domain.alarms.patterns import Pattern
from qmon_agent.domain.errors import ConfigError

ATOMS = st.sampled_from(
    ["a", "b", "c", ".", "[ab]", "[^a]", r"\d", r"\.", "(?i:a)", "[a-c0-9]", "$"]
)
TEXTS = st.text("abcABC.0\n", max_size=8)


def joined(parts):
    return st.one_of(
        st.lists(parts, max_size=3).map("".join),
        st.lists(parts, min_size=1, max_size=3).map("|".join).map("({})".format),
        st.tuples(parts, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,}", "+?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    )


PATTERNS = st.recursive(ATOMS, joined, max_leaves=8)


class TestPatterns:
    @given(PATTERNS, st.lists(TEXTS, min_size=1, max_size=5))
    def test_fit_what_those_of_python_fit(self, text, values):
        # Python lets `$` stand before a last line end too; RE2 does not.
        oracle = re.compile(text.replace("$", r"\Z"), re.ASCII)

        fitting = [value for value in values if oracle.fullmatch(value)]

        assert fitting == [value for value in values if Pattern(text).fits(value)]

    @pytest.mark.parametrize("text", ["(a+)+b", "(a|a)*b", "(a?){50}a{50}b", "(.*)*b"])
    def test_end_where_others_run_for_ever(self, text):
        assert not Pattern(text).fits("a" * 5_000)

    @pytest.mark.parametrize(
        ("text", "value"),
        [(r"\Qa.b\E+", "a.bb"), ("[[:digit:]x]+", "1x"), ("[]a]", "]"), (r"\x41\x{42}", "AB")],
    )
    def test_read_what_only_re2_writes(self, text, value):
        assert Pattern(text).fits(value)

    @pytest.mark.parametrize(
        "text",
        [
            "(",
            ")",
            "*",
            "a**",
            "(?=a)",
            "(?<!a)",
            r"\1",
            "[z-a]",
            "x{1001}",
            r"\b",
            "[a",
            "(?P<9>a",
        ],
    )
    def test_say_what_is_wrong(self, text):
        with pytest.raises(ConfigError, match="is no regular expression"):
            Pattern(text)

    @pytest.mark.parametrize("text", ["((a{100}){100}){9}", "a" * (LONGEST + 1)])
    def test_have_a_bound(self, text):
        with pytest.raises(ConfigError, match=r"too large|more than"):
            Pattern(text)

    @given(st.text(max_size=20))
    def test_are_read_or_refused_whatever_comes(self, text):
        try:
            Pattern(text).fits(text)
        except ConfigError as error:
            assert str(error)
