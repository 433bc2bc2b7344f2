"""Laws of the flight ring: no bytes bring its reader down, and a tear costs what is behind it."""

from __future__ import annotations

import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmon_agent.ingest.flight.faults import read_fault
from qmon_agent.ingest.flight.story import Death, frames_of
from qmon_agent.ingest.flight.verdict import Cause
from qmon_sdk.protocol import flight
from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.errors import FrameError
from qmon_sdk.protocol.flight_reader import read_flight
from qmon_sdk.protocol.frames import decode_frame
from qmon_sdk.protocol.signals import Event, Span

SPANS, LOGS, FRAMES = 200, 50, 20
DEATH = Death(time=time.time_ns(), cause=Cause(type="Vanished", message="gone"))
# Where the numbers are that everything else hangs on: hit by chance, they would never be.
STRUCTURE = [
    *range(0, 256, 8),
    *range(flight.CAPTURED, flight.CAPTURED + 72, 8),
    *range(flight.NAMES_AT, flight.NAMES_AT + 64, 4),
    *range(flight.SESSIONS_AT, flight.SESSIONS_AT + 512, 8),
    *range(flight.OPENS_AT, flight.OPENS_AT + 1024, 8),
    *range(flight.NOTES_AT, flight.NOTES_AT + 4096, 4),
    *range(flight.FRAMES_AT, flight.FRAMES_AT + 4096, 4),
    *range(flight.CHUNKS_AT + flight.CHUNK_BYTES, flight.CHUNKS_AT + 2 * flight.CHUNK_BYTES, 8),
]
PLACES = st.one_of(st.sampled_from(STRUCTURE), st.integers(0, flight.SIZE - 8))
WORDS = st.one_of(st.binary(min_size=8, max_size=8), st.sampled_from([b"\0" * 8, b"\xff" * 8]))


class Whole(bytes):
    """Bytes that are too many to be shown."""

    def __repr__(self):
        return f"<{len(self)} bytes>"


@pytest.fixture(scope="module")
def whole(drawn_ring):
    """A ring with some of everything in it."""
    ring = drawn_ring()
    ring.person(3, "ada", "s" * 32)
    ring.session("s" * 32, "ada")
    for number in range(FRAMES):
        ring.hold(Span(name="told", span_id=f"{9000 + number:016x}"), sequence=number + 1)
    ring.hold(Event(name="paid"), sequence=FRAMES + 1)
    for number in range(1, SPANS + 1):
        ring.span(f"work {number % 9}", span=number, start=number, who=3, extra={"n": "x"})
    for number in range(LOGS):
        ring.log(body=f"line {number}")
        ring.crumb('{"message": "here"}')
    for number in range(1, 40):
        ring.open("deep", span=5000 + number, parent=4999 + number, inherits=number > 1, text="x")
    ring.sample(0, 1_790_000_001 * 10**9, rss=1 << 20)
    return Whole(ring.data)


def spans_in(data):
    return [int(span.span_id, 16) for span in read_flight(data).spans]


def store(data):
    """Everything that would be stored of it, as the store reads it."""
    for frame in frames_of(read_flight(data), DEATH):
        for block in decode_frame(frame).blocks:
            rows_of(block)


class TestWholeRing:
    def test_tells_everything_once(self, whole):
        read = read_flight(whole)

        assert (SPANS, LOGS, FRAMES + 1) == (len(read.spans), len(read.kept), len(read.frames))
        assert (39, 1, LOGS) == (len(read.open_spans), len(read.sessions), len(read.breadcrumbs))
        assert {"span": SPANS + FRAMES, "log": LOGS, "event": 1} == read.ledger.captured

    def test_is_read_quickly(self, whole):
        began = time.process_time()
        store(whole)

        assert time.process_time() - began < 2


class TestDamagedRing:
    @given(st.lists(st.tuples(PLACES, WORDS), min_size=1, max_size=40))
    def test_is_a_flight_or_no_ring_and_can_be_stored(self, whole, changes):
        data = bytearray(whole)
        for place, word in changes:
            data[place : place + 8] = word
        try:
            store(bytes(data))
        except FrameError:
            assert bytes(data[:8]) != flight.MAGIC

    @given(st.integers(0, flight.SIZE - 1))
    def test_says_that_it_is_too_short(self, whole, length):
        with pytest.raises(FrameError):
            read_flight(whole[:length])

    @given(st.integers(0, SPANS - 1))
    def test_yields_the_spans_before_a_tear(self, whole, torn):
        chunk, place = divmod(torn, flight.ROWS)
        at = flight.CHUNKS_AT + (chunk + 1) * flight.CHUNK_BYTES
        at += flight.CHUNK_HEAD + place * flight.ROW_BYTES
        data = whole[:at] + bytes(flight.SIZE - at)

        assert list(range(1, torn + 1)) == spans_in(data)

    @given(st.integers(0, FRAMES - 1))
    def test_yields_the_frames_before_a_tear(self, whole, torn):
        size = (read_length(whole) + 7 & ~7) + flight.HELD.size
        data = bytearray(whole)
        data[flight.FRAMES_AT + torn * size :] = bytes(len(whole) - flight.FRAMES_AT - torn * size)

        assert list(range(1, torn + 1)) == [n for n, _ in read_flight(bytes(data)).frames]


class TestRandomBytes:
    @settings(max_examples=20)
    @given(st.integers(0, 1 << 32))
    def test_are_a_flight_however_wild(self, seed):
        store(flight.MAGIC + Random(seed).randbytes(flight.SIZE - 8))

    @given(st.binary(max_size=400))
    def test_are_no_ring_without_its_magic(self, data):
        with pytest.raises(FrameError):
            read_flight(data)


class TestFaultText:
    @given(
        st.one_of(st.binary(), st.text().map(lambda text: f"Fatal Python error: {text}".encode()))
    )
    def test_is_a_fault_or_none_whatever_it_says(self, data):
        fault = read_fault(data)

        assert fault is None or fault.said is not None


def read_length(data):
    return flight.HELD.unpack_from(data, flight.FRAMES_AT)[0]
