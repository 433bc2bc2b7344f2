"""The accelerator's block of events is, to the byte, the one that is made of records."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qmon_sdk.protocol import flight
from qmon_sdk.protocol.columns import PURE_WRITERS
from qmon_sdk.protocol.frames import pack
from qmon_sdk.protocol.signals import FIELDS, Event

TEXTS = st.one_of(st.sampled_from(["", "a", "b" * 40, "é" * 300]), st.text(max_size=40))
WHOLES = st.one_of(
    st.sampled_from([0, 127, 128, 1 << 16, 1 << 32, (1 << 63) - 1, 1 << 63, -1, -200])
)
MAPS = st.one_of(
    st.sampled_from([{}, {"a": "b"}, {"c": "d", "a": "b"}, {"a": "b", "c": "d"}]),
    st.dictionaries(TEXTS, TEXTS, max_size=20),
)
EVENTS = st.builds(
    Event,
    time=WHOLES,
    event_id=TEXTS,
    name=st.sampled_from(["paid", "looked"]),
    user_id=TEXTS,
    anonymous_id=TEXTS,
    session_id=st.just("s-1"),
    sequence=WHOLES,
    attributes=MAPS,
)


def pure_block(events):
    columns = zip(*events, strict=True)
    written = [
        PURE_WRITERS[field.role](column)
        for field, column in zip(FIELDS["event"], columns, strict=True)
    ]
    return pack(["event", len(events), written])


@given(st.lists(EVENTS, min_size=1, max_size=30))
def test_a_block_is_that_of_the_records_or_left_to_them(compiled, events):
    notes, waiting = compiled.Notes(memoryview(bytearray(flight.SIZE))), []
    for event in events:
        notes.keep(flight.EVENT, event, waiting)

    block = compiled.event_block(tuple(kept for _, _, kept in waiting))
    sound = all(0 <= one.time < 1 << 63 and 0 <= one.sequence < 1 << 63 for one in events)
    if block is not NotImplemented:
        assert block == pure_block(events)
    elif sound:
        assert any(len(one.attributes) > 1 for one in events)


def test_a_block_of_many_is_written(compiled):
    events = [
        Event(time=n, event_id=f"{n:032x}", name="paid", sequence=n, attributes={"n": str(n % 9)})
        for n in range(1000)
    ]
    notes, waiting = compiled.Notes(memoryview(bytearray(flight.SIZE))), []
    for event in events:
        notes.keep(flight.EVENT, event, waiting)
    assert pure_block(events) == compiled.event_block(tuple(kept for _, _, kept in waiting))


def test_what_is_no_event_is_left_to_others(compiled):
    odd = [(), [b"\x98"], (b"\x98",), (b"\x98\x01\xa0",), ("text",), (pack(["a"] * 8),)]
    assert {NotImplemented} == {compiled.event_block(one) for one in odd}
