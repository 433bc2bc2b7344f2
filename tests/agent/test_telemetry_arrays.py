"""Columns of the wire as Arrow arrays: the same values as the plain reader, or a ValueError."""

from array import array

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.store.telemetry.arrays import TYPES, array_of
from qmon_sdk.protocol.columns import block_of, decode_column
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.signals import FIELDS, SIGNALS

NUMBERS = st.integers(-(2**63), 2**63 - 1)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
VALUES = {
    "Time": NUMBERS,
    "Duration": NUMBERS,
    "Whole": NUMBERS,
    "Number": st.floats(allow_nan=False),
    "Flag": st.booleans(),
    "Key": WORDS,
    "Word": WORDS,
    "Text": WORDS,
    "Labels": st.dictionaries(WORDS, WORDS, max_size=3),
    "Buckets": st.dictionaries(st.integers(-(2**31), 2**31 - 1), NUMBERS, max_size=3),
}
SIGNAL = st.sampled_from(sorted(SIGNALS)).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.lists(
            st.builds(SIGNALS[kind], **{each.name: VALUES[each.role] for each in FIELDS[kind]}),
            min_size=1,
            max_size=8,
        ),
    )
)
TAGS = st.sampled_from(["d", "k", "x", "x1", "x2", "t", "o", "b"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
        | st.tuples(TAGS, inner, inner).map(list)
    ),
    max_leaves=6,
)


def places(*numbers):
    return array("I", numbers).tobytes()


def values_of(read, role):
    if role == "Time":
        return read.cast(pa.int64()).to_pylist()
    values = read.to_pylist()
    return [dict(value) for value in values] if role in {"Labels", "Buckets"} else values


WRITTEN = [
    ("Key", ["x", 2, b"\x01\xab\0\0"]),
    ("Key", ["x1", array("Q", [255, 0]).tobytes()]),
    ("Key", ["x2", array("Q", [1, 0]).tobytes(), array("Q", [2, 0]).tobytes()]),
    ("Key", ["d", places(1, 0), ["a", "b"]]),
    ("Word", ["x1", array("Q", [255, 0]).tobytes()]),
    ("Word", ["t", ["a", "b"]]),
    ("Time", ["o", 1000, array("q", [5, -5]).tobytes()]),
    ("Number", 3),
    ("Flag", b"\x01\0"),
    ("Labels", ["d", places(1, 0), [{"a": "1"}, {}]]),
    ("Labels", ["k", places(2, 0), places(0, 1), ["a", "b"], ["1", "2"]]),
    ("Buckets", ["b", places(1, 1), array("i", [-3, 4]).tobytes(), array("q", [5, 6]).tobytes()]),
]
BROKEN = [
    ("Word", ["d", places(5), ["a"]]),
    ("Time", ["o", 1, b"1234567"]),
    ("Time", ["?", 1, b"12345678"]),
    ("Whole", 1.5),
    ("Key", ["x", 3, b"1234"]),
    ("Key", ["x", 65, b""]),
    ("Key", ["x2", bytes(8), bytes(16)]),
    ("Text", ["t", ["a", "b"]]),
    ("Text", ["t", [None]]),
    ("Labels", {"a": 1}),
    ("Labels", ["k", places(2), places(0), ["a"], ["1"]]),
    ("Labels", ["k", places(2**32 - 1), places(0), ["a"], ["1"]]),
    ("Buckets", {1: 2**70}),
    ("Flag", b"\x01\x01"),
    ("Word", None),
]


class TestArrays:
    @given(SIGNAL)
    def test_hold_what_the_plain_reader_reads(self, signals):
        kind, rows = signals
        block = block_of(kind, rows)

        for field, column, expected in zip(
            FIELDS[kind], block.columns, zip(*rows, strict=True), strict=True
        ):
            read = array_of(column, field.role, len(rows))
            assert values_of(read, field.role) == list(expected)

    @pytest.mark.parametrize(("role", "column"), WRITTEN)
    def test_read_every_way_a_column_may_be_written(self, role, column):
        assert decode_column(column, role, 2) == values_of(array_of(column, role, 2), role)

    @pytest.mark.parametrize(("role", "column"), WRITTEN)
    def test_have_one_type_per_role_so_that_frames_can_be_joined(self, role, column):
        assert TYPES[role] == array_of(column, role, 2).type

    @pytest.mark.parametrize(("role", "column"), BROKEN)
    def test_refuse_a_column_that_contradicts_itself(self, role, column):
        with pytest.raises(ValueError, match=r"."):
            array_of(column, role, 1)

    @given(st.sampled_from(sorted(TYPES)), ANYTHING)
    def test_raise_nothing_but_value_errors_whatever_comes(self, role, column):
        try:
            array_of(column, role, 2)
        except ValueError:
            return
        try:
            assert len(decode_column(column, role, 2)) == 2
        except WireError:
            pytest.fail(f"{column!r} was taken, and the plain reader refuses it")
