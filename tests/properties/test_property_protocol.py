"""Laws of the wire: what is written is read back, and no bytes at all bring the reader down."""

from __future__ import annotations

import contextlib

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_sdk.protocol.buckets import ACCURACY, bucket_of, bucket_value, fold, quantile
from qmon_sdk.protocol.columns import Block, block_of, blocks_of, rows_at, rows_of
from qmon_sdk.protocol.errors import FrameError, OversizeError, TornError, WireError
from qmon_sdk.protocol.frames import (
    MAX_FRAME_BYTES,
    Frame,
    Ledger,
    Resource,
    decode_ack,
    decode_frame,
    encode_frame,
    pack,
    pack_length,
    peek,
    split_messages,
)
from qmon_sdk.protocol.signals import FIELDS, SIGNALS

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
BY_ROLE = {
    "Time": st.integers(-(2**63), 2**63 - 1),
    "Duration": st.integers(-(2**63), 2**63 - 1),
    "Whole": st.integers(-(2**63), 2**63 - 1),
    "Number": st.floats(allow_nan=False),
    "Flag": st.booleans(),
    "Key": TEXTS,
    "Word": st.sampled_from(["", "a", "b"]),
    "Text": TEXTS,
    "Labels": st.dictionaries(TEXTS, TEXTS, max_size=3),
    "Buckets": st.dictionaries(st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**40), max_size=3),
}


def signals_of(kind):
    fields = {field.name: BY_ROLE[field.role] for field in FIELDS[kind]}
    return st.lists(st.builds(SIGNALS[kind], **fields), max_size=6)


KINDS = st.sampled_from(sorted(SIGNALS))
ANY_SIGNALS = KINDS.flatmap(signals_of)
FRAMES = st.builds(
    Frame,
    process=st.binary(min_size=16, max_size=16),
    sequence=st.integers(0, 2**64 - 1),
    sent=st.integers(0, 2**63 - 1),
    resource=st.builds(Resource, service=TEXTS, host=TEXTS, pid=st.integers(0, 2**31)),
    blocks=ANY_SIGNALS.map(blocks_of),
    ledger=st.none() | st.builds(Ledger, captured=st.dictionaries(TEXTS, st.integers(0, 2**60))),
)


class TestBlocks:
    @given(KINDS.flatmap(lambda kind: st.tuples(st.just(kind), signals_of(kind))))
    def test_are_read_back_as_they_were_written(self, kind_and_signals):
        kind, signals = kind_and_signals

        assert rows_of(block_of(kind, signals)) == signals

    @given(KINDS.flatmap(lambda kind: st.tuples(st.just(kind), signals_of(kind))), st.data())
    def test_are_read_row_by_row_as_all_at_once(self, kind_and_signals, data):
        kind, signals = kind_and_signals
        places = data.draw(st.lists(st.sampled_from(range(len(signals))))) if signals else []

        assert rows_at(block_of(kind, signals), places) == [signals[place] for place in places]

    @given(signals_of("event"), st.integers(0, 11))
    def test_of_older_writers_take_defaults_for_what_is_missing(self, events, known):
        block = block_of("event", events)
        older = block.replace(columns=block.columns[:known])

        names = [field.name for field in FIELDS["event"]][:known]
        for old, new in zip(rows_of(older), events, strict=True):
            assert all(getattr(old, name) == getattr(new, name) for name in names)

    @given(signals_of("log"), TEXTS)
    def test_of_newer_writers_keep_the_columns_we_do_not_know(self, logs, more):
        block = block_of("log", logs)
        newer = block.replace(columns=(*block.columns, more))
        frame = decode_frame(encode_frame(Frame(process=bytes(16), blocks=(newer,))))

        assert frame.blocks[0] == newer
        assert rows_of(frame.blocks[0]) == logs


class TestFrames:
    @given(FRAMES)
    def test_are_read_back_as_they_were_written(self, frame):
        assert decode_frame(encode_frame(frame)) == frame

    @given(FRAMES)
    def test_can_be_told_apart_by_their_head_alone(self, frame):
        head = peek(encode_frame(frame))

        assert (head.process, head.sequence) == (frame.process, frame.sequence)

    @given(FRAMES, TEXTS)
    def test_of_newer_writers_may_have_more_elements(self, frame, more):
        old = encode_frame(frame)
        newer = bytes([old[0] + 1]) + old[1:] + pack(more)

        assert decode_frame(newer) == frame

    def test_keep_kinds_that_are_not_ours(self):
        frame = Frame(process=bytes(16), blocks=(Block(kind="dream", rows=2, columns=("x",)),))

        assert decode_frame(encode_frame(frame)) == frame
        with pytest.raises(FrameError, match="dream"):
            rows_of(frame.blocks[0])

    def test_with_text_that_is_no_unicode_are_written_with_question_marks(self):
        block = block_of("log", [SIGNALS["log"](body="a\ud800b", attributes={"\udfff": "c"})])
        frame = decode_frame(encode_frame(Frame(process=bytes(16), blocks=(block,))))

        (log,) = rows_of(frame.blocks[0])
        assert (log.body, log.attributes) == ("a?b", {"?": "c"})

    def test_too_large_are_refused_by_both_sides(self):
        huge = Frame(process=bytes(16), resource=Resource(service="x" * MAX_FRAME_BYTES))

        with pytest.raises(OversizeError):
            encode_frame(huge)
        with pytest.raises(OversizeError):
            decode_frame(bytes(MAX_FRAME_BYTES + 1))


class TestHostileBytes:
    @given(st.binary(max_size=200))
    def test_raise_wire_errors_and_nothing_else(self, data):
        read_everything(data)

    @given(FRAMES, st.data())
    def test_made_from_good_ones_by_a_flip_raise_wire_errors_and_nothing_else(self, frame, data):
        good = bytearray(encode_frame(frame))
        place = data.draw(st.integers(0, len(good) - 1))
        good[place] ^= 1 << data.draw(st.integers(0, 7))

        read_everything(bytes(good))

    @given(FRAMES, st.data())
    def test_that_end_early_are_refused(self, frame, data):
        good = encode_frame(frame)
        short = good[: data.draw(st.integers(0, len(good) - 1))]

        with pytest.raises(WireError):
            decode_frame(short)

    @pytest.mark.parametrize("opener", [b"\xdd\x7f\xff\xff\xff", b"\xdf\x7f\xff\xff\xff", b"\x91"])
    def test_that_nest_or_claim_without_end_are_refused(self, opener):
        head = encode_frame(Frame(process=bytes(16)))[:29]

        with pytest.raises(WireError):
            decode_frame(head + opener * 100_000)

    @given(st.recursive(st.none() | st.integers() | TEXTS, lambda some: st.lists(some, max_size=4)))
    def test_in_the_place_of_columns_are_refused_or_read(self, column):
        for role in BY_ROLE:
            fields = [f.role for f in FIELDS["error"]]
            columns = tuple(column if known == role else "" for known in fields)
            read_rows(Block(kind="error", rows=2, columns=columns))


def read_everything(data):
    try:
        frame = decode_frame(data)
    except WireError:
        return
    for block in frame.blocks:
        read_rows(block)


def read_rows(block):
    with contextlib.suppress(WireError):
        rows_of(block)


class TestMessages:
    @given(st.lists(st.binary(max_size=50), max_size=5))
    def test_come_out_as_they_went_in(self, frames):
        assert list(split_messages(b"".join(map(pack_length, frames)))) == frames

    def test_that_break_off_say_so(self):
        with pytest.raises(TornError):
            list(split_messages(pack_length(b"abc")[:-1]))
        with pytest.raises(OversizeError):
            list(split_messages(b"\xff\xff\xff\xff"))

    @given(st.binary(max_size=60))
    def test_from_the_agent_never_bring_a_client_down(self, data):
        try:
            decode_ack(data)
        except WireError:
            return
        assert isinstance(msgpack.unpackb(data), list)


FINITE = st.floats(allow_nan=False, allow_infinity=False)


class TestBuckets:
    @given(FINITE.filter(lambda value: abs(value) > 1e-300))
    def test_stand_for_their_values_within_two_percent(self, value):
        assert bucket_value(bucket_of(value)) == pytest.approx(value, rel=ACCURACY * 1.001)

    @given(FINITE, FINITE)
    def test_are_in_the_order_of_their_values(self, one, other):
        low, high = sorted((one, other))

        assert bucket_of(low) <= bucket_of(high)

    @given(st.lists(st.integers(1, 10**6), min_size=1), st.integers(1, 5), st.floats(0, 1))
    def test_of_parts_add_up_to_those_of_the_whole(self, values, pieces, q):
        def sketch(some):
            return fold([{bucket_of(value): 1} for value in some])

        whole = sketch(values)

        assert fold([sketch(values[start::pieces]) for start in range(pieces)]) == whole
        exact = sorted(values)[int(q * (len(values) - 1))]
        assert quantile(whole, q) == pytest.approx(exact, rel=ACCURACY * 1.01)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
    def test_refuse_what_is_no_number(self, value):
        with pytest.raises(ValueError, match="finite"):
            bucket_of(value)
