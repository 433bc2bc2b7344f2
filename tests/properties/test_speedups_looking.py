"""What the accelerator says of texts, and writes of values, is what Python says and writes."""

from __future__ import annotations

import re
import sys
from time import perf_counter_ns

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmon_sdk.accelerator import speedups
from qmon_sdk.cards import HINT
from qmon_sdk.entropy import SHORTEST, without_random
from qmon_sdk.known_secrets import NEEDLES, NEEDLES_OF_NAMES, NEEDLES_WITH_A_LINE, SIGNS
from qmon_sdk.local_variables import _plain_first, _variables
from qmon_sdk.looking import PureNeedles, has_digits
from qmon_sdk.rendering import cut
from qmon_sdk.scrub import Scrubber
from qmon_sdk.settings import Settings

WORDS = (*NEEDLES_OF_NAMES, *NEEDLES, *NEEDLES_WITH_A_LINE)
PIECES = st.one_of(
    st.text(max_size=9),
    st.sampled_from([*WORDS, "4111 1111-1111 1111", "aB3" * 9, "é", "日", "😀"]),
)
TEXTS = st.lists(PIECES, max_size=6).map("".join)


class Text(str):
    """No plain text."""

    __slots__ = ()


NAMES = st.sampled_from(["password", "--token", "-x", b"cookie", "a", "k" * 300])
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.binary(max_size=9),
    st.text(max_size=40),
    st.sampled_from(["\ud800", "x" * 9000, "'\"\n", 1 << 63, 1 << 9000, 2j, ...]),
    st.builds(Text, st.text(max_size=4)),
)
KEYS = st.one_of(LEAVES, st.sampled_from(["password", "a", "id"]))
VALUES = st.recursive(
    LEAVES,
    lambda inside: st.one_of(
        st.lists(inside, max_size=14),
        st.lists(inside, max_size=3).map(tuple),
        st.tuples(NAMES, inside),
        st.lists(st.one_of(NAMES, inside), max_size=4),
        st.dictionaries(KEYS, inside, max_size=4),
        st.sets(st.integers(), max_size=2),
    ),
    max_leaves=12,
)


class TestNeedles:
    @pytest.mark.parametrize("words", [WORDS, NEEDLES_OF_NAMES, SIGNS, ("a", "ab", "ba")])
    @given(text=TEXTS)
    def test_are_found_where_python_finds_them(self, compiled, words, text):
        assert PureNeedles(words)(text) == compiled.Needles(words)(text)

    @pytest.mark.parametrize("words", [("",), (1,), ("é",), ["a"]])
    def test_are_refused_if_they_are_no_words(self, compiled, words):
        with pytest.raises(TypeError):
            compiled.Needles(words)

    @pytest.mark.parametrize("text", [b"a", None, 1])
    def test_are_looked_for_in_texts_only(self, compiled, text):
        with pytest.raises(TypeError):
            compiled.Needles(("a",))(text)


class TestLooks:
    @given(text=st.one_of(TEXTS, st.text(alphabet="0123456789 -a٣", max_size=40)))
    def test_find_cards_where_the_pattern_does(self, compiled, text):
        assert compiled.cards(text) == bool(re.search(HINT, text))
        assert has_digits(text, 13) or not re.search(HINT, text)

    @given(text=st.one_of(TEXTS, st.text(alphabet="aB3 /é", max_size=60)))
    def test_miss_no_word_that_is_random(self, compiled, text):
        if not compiled.mixtures(text, SHORTEST):
            assert without_random(text, "[hidden]") == text


class TestPlainValues:
    @settings(max_examples=300)
    @given(value=VALUES, limit=st.sampled_from([0, 5, 30, 300]))
    def test_are_written_as_python_does_or_left_to_it(self, compiled, value, limit):
        scrubber = Scrubber(Settings())
        renderer = scrubber.renderer(limit)
        expected = cut(renderer._text(value, 3), limit)

        assert compiled.plain(value, limit, *renderer.known) in (None, expected)
        assert expected == renderer.text(value)

    def test_are_not_all_left_to_it(self, compiled):
        known = Scrubber(Settings()).renderer(300).known

        assert compiled.plain([1, ("a", None, {})], 300, *known) == "[1, ('a', None, {})]"

    def test_that_hold_themselves_are(self, compiled):
        value = []
        value.append(value)

        assert compiled.plain(value, 300, {}, None) is None


class TestVariables:
    @settings(max_examples=200)
    @given(
        values=st.dictionaries(
            st.sampled_from(["a", "b", "password", "__name__", "_x", "é", *map(str, range(30))]),
            st.one_of(VALUES, st.sampled_from([sys, len, TEXTS, str, print, lambda: 0])),
            max_size=30,
        )
    )
    def test_are_those_of_python_in_its_order(self, compiled, values):
        if speedups is not compiled:
            pytest.skip("pure Python was asked for")
        frame = _frame_with(values)
        renderer, until = Scrubber(Settings()).renderer(300), perf_counter_ns() + 10**10

        expected = _variables(frame, renderer, until)
        assert list(expected.items()) == list(_plain_first(frame, renderer, until).items())

    def test_with_names_of_another_kind_are_left_to_it(self, compiled):
        assert compiled.variables([(1, 2)], 300, {}, None) is None


def _frame_with(values):
    exec("frame = sys._getframe()", inside := {**values, "sys": sys})
    return inside["frame"]
