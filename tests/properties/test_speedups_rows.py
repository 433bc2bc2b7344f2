"""The accelerator cuts rows as pure Python does, whichever of them were finished."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_sdk.protocol import flight
from qmon_sdk.protocol.arrays import U64, packed
from qmon_sdk.protocol.flight import ROW
from qmon_sdk.recorder.byte_rings import PureNotes
from qmon_sdk.recorder.rows import pure_places, pure_split

words = st.integers(0, (1 << 64) - 1)
times = st.integers(-(1 << 63), (1 << 63) - 1)
rows = st.tuples(times, times, words, words, words, words, words, words, st.integers(0, 3))


class TestRows:
    @given(st.lists(rows, max_size=30))
    def test_are_cut_into_the_same_columns(self, compiled, given_rows):
        data = b"".join(ROW.pack(*row) for row in given_rows)

        assert pure_split(data) == compiled.split(data)

    @given(st.lists(st.one_of(words, st.integers(0, 3)), max_size=300))
    def test_have_the_same_places(self, compiled, numbers):
        column = packed(U64, numbers)

        assert pure_places(column) == compiled.places(memoryview(column))

    @pytest.mark.parametrize("wrong", [b"no rows", None, 3, "text"])
    def test_that_are_none_are_refused(self, compiled, wrong):
        for cut in (compiled.split, compiled.places):
            with pytest.raises((ValueError, TypeError)):
                cut(wrong)


payloads = st.one_of(
    st.binary(max_size=90), st.sampled_from([bytes(30_000), bytes(flight.NOTES_BYTES)])
)


class TestNotes:
    @given(st.lists(st.tuples(st.integers(1, 9), payloads), max_size=30))
    def test_are_written_to_the_same_bytes(self, compiled, entries):
        pure, ours = memoryview(bytearray(flight.SIZE)), memoryview(bytearray(flight.SIZE))
        one, other = PureNotes(pure), compiled.Notes(ours)

        assert [one.add(*entry) for entry in entries] == [other.add(*entry) for entry in entries]
        assert pure == ours
