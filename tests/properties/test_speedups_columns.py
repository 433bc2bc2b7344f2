"""The accelerator's columns are the pure ones, byte for byte, whatever stands in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_sdk.protocol.columns import PURE_WRITERS, accelerated
from qmon_sdk.protocol.frames import pack


class Text(str):
    """A text of somebody's own."""

    __slots__ = ()


texts = st.text(max_size=4)
wholes = st.integers(-(1 << 63), (1 << 63) - 1)
pairs = st.dictionaries(texts, texts, max_size=4)
buckets = st.dictionaries(st.integers(-(1 << 31), (1 << 31) - 1), wholes, max_size=4)
nan = float("nan")
VALUES = {
    "Time": wholes,
    "Duration": st.integers(0, 3),
    "Whole": st.one_of(wholes, st.booleans(), st.integers()),
    "Number": st.one_of(st.floats(), st.sampled_from([nan, 0.0, -0.0]), st.integers(0, 1)),
    "Flag": st.one_of(st.booleans(), st.integers(0, 255)),
    "Key": texts,
    "Word": st.sampled_from(["a", "b", "", Text("a"), "\ud800"]),
    "Text": st.one_of(texts, st.just("same"), st.none()),
    "Labels": st.one_of(pairs, st.just({}), st.just({"a": "b"}), st.just({1: 2})),
    "Buckets": st.one_of(buckets, st.just({}), st.just({1: 2}), st.just({1 << 40: 1})),
}
columns = st.sampled_from(sorted(VALUES)).flatmap(
    lambda role: st.tuples(st.just(role), st.one_of(alike(role), mixed(role)))
)


def alike(role):
    return st.tuples(VALUES[role], st.integers(0, 5)).map(lambda given: (given[0],) * given[1])


def mixed(role):
    few = st.lists(VALUES[role], min_size=1, max_size=3).flatmap(st.sampled_from)
    return st.lists(st.one_of(few, VALUES[role]), max_size=40).map(tuple)


def written(writers, role, values):
    """What comes of a column: its bytes and its types, or the name of what was raised."""
    try:
        column = writers[role](values)
    except Exception as error:  # noqa: BLE001 - which one it is, is the point
        return type(error).__name__
    return repr(column), pack(column)


class TestWriters:
    @given(columns)
    def test_write_the_same_bytes(self, compiled, column):
        role, values = column

        assert written(PURE_WRITERS, *column) == written(accelerated(compiled), role, values)

    @given(st.lists(st.sampled_from("abcdef"), min_size=200, max_size=400))
    def test_write_the_same_long_columns(self, compiled, letters):
        values = tuple(letters)

        assert written(PURE_WRITERS, "Word", values) == written(
            accelerated(compiled), "Word", values
        )

    @pytest.mark.parametrize("name", ["words", "labels", "wholes", "reals", "flags", "buckets"])
    @pytest.mark.parametrize("other", [None, [1], "ab", (object(),), ({}, None)])
    def test_leave_what_they_do_not_know(self, compiled, name, other):
        assert getattr(compiled, name)(other) is NotImplemented
