"""What a Prometheus writes into a chunk is read as it was; other bytes are an error at most."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.ingest.tsdb.chunks import samples_of
from qmon_agent.ingest.tsdb.cursor import Cursor, DamagedBlockError


class Bits:
    """Writes a chunk as the format is published."""

    def __init__(self):
        self.text = ""

    def put(self, value, width):
        self.text += format(value & ((1 << width) - 1), f"0{width}b")

    def varint(self, value):
        while value >= 0x80:
            self.put(value & 0x7F | 0x80, 8)
            value >>= 7
        self.put(value, 8)

    def bytes(self):
        padded = self.text + "0" * (-len(self.text) % 8)
        return int(padded or "0", 2).to_bytes(len(padded) // 8, "big")


def chunk_of(samples):
    bits, window = Bits(), None
    bits.put(len(samples), 16)
    before = delta = word = 0
    for number, (time, value) in enumerate(samples):
        (raw,) = struct.unpack(">Q", struct.pack(">d", value))
        if number == 0:
            bits.varint(time << 1 if time >= 0 else (-time << 1) - 1)
            bits.put(raw, 64)
        else:
            now = time - before
            bits.varint(now) if number == 1 else put_change(bits, now - delta)
            delta = now
            window = put_difference(bits, raw ^ word, window)
        before, word = time, raw
    return bits.bytes()


def put_change(bits, change):
    if change == 0:
        bits.put(0, 1)
        return
    for width, prefix in ((14, "10"), (17, "110"), (20, "1110")):
        if -(1 << (width - 1)) < change <= 1 << (width - 1):
            bits.text += prefix
            bits.put(change, width)
            return
    bits.text += "1111"
    bits.put(change, 64)


def put_difference(bits, difference, window):
    if not difference:
        bits.put(0, 1)
        return window
    leading = min(64 - difference.bit_length(), 31)
    trailing = (difference & -difference).bit_length() - 1
    bits.put(1, 1)
    if window and leading >= window[0] and trailing >= window[1]:
        bits.put(0, 1)
    else:
        window = leading, trailing
        bits.put(1, 1)
        bits.put(leading, 5)
        bits.put(64 - leading - trailing, 6)
    bits.put(difference >> window[1], 64 - sum(window))
    return window


def same(a, b):
    return math.isnan(a) and math.isnan(b) if math.isnan(b) else a == b


STEPS = st.one_of(st.just(15_000), st.integers(1, 1 << 22), st.integers(1, 1 << 40))


@given(st.integers(-(1 << 40), 1 << 41), st.lists(st.tuples(STEPS, st.floats()), max_size=130))
def test_samples_are_read_as_they_were_written(begin, steps):
    samples, time = [], begin
    for step, value in steps:
        samples.append((time, value))
        time += step

    found = samples_of(chunk_of(samples))

    assert [time for time, _ in found] == [time for time, _ in samples]
    assert all(same(a, b) for (_, a), (_, b) in zip(found, samples, strict=True))


@given(st.binary(max_size=300))
def test_other_bytes_are_samples_or_damage(data):
    try:
        samples_of(data)
    except DamagedBlockError:
        pass


@given(st.integers(0, (1 << 63) - 1))
def test_a_number_that_is_cut_is_damage(value):
    bits = Bits()
    bits.varint(value)
    assert Cursor(bits.bytes()).unsigned() == value
    with pytest.raises(DamagedBlockError):
        Cursor(bits.bytes()[:-1]).unsigned()
