"""The accelerator cuts rows as pure Python does, whichever of them were finished."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_sdk.protocol import flight
from qmon_sdk.protocol.arrays import U64, packed
from qmon_sdk.protocol.flight import ROW
from qmon_sdk.protocol.frames import pack
from qmon_sdk.recorder.byte_rings import PureNotes
from qmon_sdk.recorder.rows import pure_merge, pure_places, pure_split
from qmon_sdk.scrub import Scrubber
from qmon_sdk.settings import Settings

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


texts = st.text(max_size=3)
maps = st.dictionaries(st.one_of(texts, st.sampled_from([flight.EVENTS, flight.LINKS])), texts)
payloads = st.one_of(
    st.binary(max_size=90), st.sampled_from([bytes(30_000), bytes(flight.NOTES_BYTES)])
)
values = st.one_of(
    texts, st.floats(), st.integers(), st.booleans(), st.none(), st.text(min_size=150, max_size=300)
)


class TestAttributes:
    @given(st.lists(st.tuples(maps, st.dictionaries(texts, texts)), max_size=9))
    def test_are_merged_with_their_sites_in_the_same_way(self, compiled, pairs):
        said, sites = [kept for kept, _ in pairs], [site for _, site in pairs]
        again = deepcopy(said)

        assert pure_merge(said, sites) == compiled.merge(again, sites)
        assert said == again

    @given(st.dictionaries(texts, values, max_size=20))
    def test_are_kept_as_the_scrubber_writes_them(self, compiled, said):
        scrubber, kept = Scrubber(Settings()), {}
        ring = memoryview(bytearray(flight.SIZE))
        expected = scrubber.labels(said)
        number = compiled.keep(said, *scrubber.known, compiled.Notes(ring), kept)

        if number:
            assert {number: expected} == kept
            assert bytes(ring[flight.NOTES_AT + 24 :]).startswith(pack(expected))
            assert list(expected) == list(kept[number])

    def test_of_plain_values_are_kept_in_c(self, compiled):
        scrubber = Scrubber(Settings())
        said = {"item": 7, "plan": "pro", "share": 0.5}
        scrubber.labels(said)
        notes = compiled.Notes(memoryview(bytearray(flight.SIZE)))

        assert 8 == compiled.keep({**said, "item": 8}, *scrubber.known, notes, {})
        assert not compiled.keep({"password": "x", **said}, *scrubber.known, notes, {})


class TestNotes:
    @given(st.lists(st.tuples(st.integers(1, 9), payloads), max_size=30))
    def test_are_written_to_the_same_bytes(self, compiled, entries):
        pure, ours = memoryview(bytearray(flight.SIZE)), memoryview(bytearray(flight.SIZE))
        one, other = PureNotes(pure), compiled.Notes(ours)

        assert [one.add(*entry) for entry in entries] == [other.add(*entry) for entry in entries]
        assert pure == ours

    def test_wait_in_their_order(self, compiled):
        waiting = []
        notes = compiled.Notes(memoryview(bytearray(flight.SIZE)))
        notes.keep(1, b"one", "first", waiting)
        notes.keep(1, bytes(flight.NOTES_BYTES), "large", waiting)

        assert [(8, 3, "first"), (0, flight.NOTES_BYTES, "large")] == waiting
