"""The accelerator cuts rows as pure Python does, whichever of them were finished."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_sdk.protocol import flight
from qmon_sdk.protocol.arrays import U64, packed
from qmon_sdk.protocol.flight import ROW
from qmon_sdk.recorder.byte_rings import PureNotes
from qmon_sdk.recorder.ring import Chunk
from qmon_sdk.recorder.rows import pure_alike, pure_gather, pure_let_go, pure_places

words = st.integers(0, (1 << 64) - 1)
times = st.integers(-(1 << 63), (1 << 63) - 1)
rows = st.tuples(times, times, words, words, words, words, words, words, st.integers(0, 3))


pages = st.lists(st.lists(rows, max_size=flight.ROWS), max_size=4)


def chunks_of(given_pages):
    buf = memoryview(bytearray(flight.CHUNK_BYTES * (1 + len(given_pages))))
    chunks = [Chunk(buf, flight.CHUNK_BYTES * n) for n in range(1, 1 + len(given_pages))]
    for chunk, given_rows in zip(chunks, given_pages, strict=True):
        data = b"".join(ROW.pack(*row) for row in given_rows)
        first = chunk.at + flight.CHUNK_HEAD
        buf[first : first + len(data)] = data
    return chunks


class TestRows:
    @given(pages, st.integers(0, flight.ROWS), st.integers(0, 4 * flight.ROWS))
    def test_are_cut_into_the_same_columns(self, compiled, given_pages, start, most):
        chunks = chunks_of(given_pages)

        assert pure_gather(chunks, start, most) == compiled.gather(chunks, start, most)

    @given(pages, st.data())
    def test_are_let_go_alike(self, compiled, given_pages, data):
        one, other = chunks_of(given_pages), chunks_of(given_pages)
        ends = [data.draw(st.integers(0, flight.ROWS)) for _ in one]

        pure_let_go(one, ends)
        compiled.let_go(other, ends)

        assert [chunk.buf for chunk in one] == [chunk.buf for chunk in other]

    @given(st.lists(st.integers(0, 2), max_size=5))
    def test_are_alike_or_not(self, compiled, numbers):
        assert pure_alike(packed(U64, numbers)) == compiled.alike(packed(U64, numbers))

    @given(st.lists(st.one_of(words, st.integers(0, 3)), max_size=300))
    def test_have_the_same_places(self, compiled, numbers):
        column = packed(U64, numbers)

        assert pure_places(column) == compiled.places(memoryview(column))

    @pytest.mark.parametrize("wrong", [b"no rows", None, 3, "text"])
    def test_that_are_none_are_refused(self, compiled, wrong):
        with pytest.raises((ValueError, TypeError)):
            compiled.places(wrong)

    @pytest.mark.parametrize("at", [1, flight.CHUNK_BYTES, -8, 1 << 70, None])
    def test_outside_of_their_memory_are_refused(self, compiled, at):
        chunk = Chunk(memoryview(bytearray(flight.CHUNK_BYTES)), at)

        with pytest.raises((ValueError, TypeError, OverflowError)):
            compiled.gather([chunk], 0, 1)
        with pytest.raises((ValueError, TypeError, OverflowError)):
            compiled.let_go([chunk], [1])

    @pytest.mark.parametrize(
        "wrong", [((), 0, 1), ([], -1, 1), ([], 57, 1), ([], 0, -1), ([3], 0, 1)]
    )
    def test_that_nobody_has_are_refused(self, compiled, wrong):
        with pytest.raises((ValueError, TypeError, AttributeError)):
            compiled.gather(*wrong)


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
