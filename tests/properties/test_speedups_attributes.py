"""What the accelerator writes of attributes and signals is, to the byte, what Python writes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from qmon_sdk.protocol import flight
from qmon_sdk.protocol.arrays import U32, U64, packed
from qmon_sdk.protocol.frames import Packed, pack
from qmon_sdk.protocol.signals import Event, Log
from qmon_sdk.recorder.byte_rings import PureNotes
from qmon_sdk.recorder.extras import PureExtras, columns_of
from qmon_sdk.scrub import Scrubber
from qmon_sdk.settings import Settings


class Hostile:
    """Raises wherever it is looked at."""

    def __str__(self):
        raise RuntimeError

    __repr__ = __hash__ = __bool__ = __len__ = __float__ = __str__


class Text(str):
    """No plain text."""

    __slots__ = ()


KEYS = st.one_of(
    st.sampled_from(["a", "b", "password", "db.query.text", "url.full", "é", "k" * 300]),
    st.text(max_size=4),
    st.integers(),
    st.builds(Text, st.sampled_from(["a", "token"])),
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([1 << 63, -(1 << 63), (1 << 63) - 1, 1 << 9000]),
    st.floats(),
    st.sampled_from([2, 4111, 411111111111, 2e12, 4111111111111111.0, 1e16, 6e18]),
    st.sampled_from([4111_1111_1111_1111, 4242_4242_4242_4242, 1_764_000_000_000_000_002]),
    st.integers(10**11, 10**19),
    st.text(max_size=300),
    st.sampled_from(
        ["a", "postgres://ada:secret@db/x", "4111 1111 1111 1111", "\ud800", "x" * 9000]
    ),
    st.binary(max_size=9),
    st.builds(Text, st.text(max_size=4)),
    st.builds(Hostile),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.sampled_from(["password", "a"]), st.text(max_size=3), max_size=2),
)
SAID = st.dictionaries(KEYS, VALUES, max_size=8)
TEXTS = st.dictionaries(st.text(max_size=4), st.text(max_size=80), max_size=20)
WORDS = st.text(max_size=40)
NUMBERS = st.integers(-(1 << 63), (1 << 64) - 1)


def scrubbers(compiled, **changes):
    """Two that know nothing yet: one writes in Python, one in C."""
    pure, quick = (Scrubber(Settings(**changes)) for _ in range(2))
    pure.__dict__.pop("labels", None)
    quick.__dict__.pop("labels", None)
    return pure.labels, compiled.Labels(quick, quick._keys, quick.texts, quick.labels)


class TestLabels:
    @settings(max_examples=300)
    @given(st.lists(SAID, min_size=1, max_size=4))
    def test_are_those_of_python_met_before_or_not(self, compiled, said):
        pure, quick = scrubbers(compiled)

        for mapping in said + said:
            expected = pure(mapping)
            assert list(expected.items()) == list(quick(mapping).items())

    @given(SAID)
    def test_are_those_of_python_where_nothing_is_scrubbed(self, compiled, said):
        pure, quick = scrubbers(compiled, scrub=False)

        assert pure(said) == quick(said)

    def test_are_at_most_so_many(self, compiled):
        pure, quick = scrubbers(compiled)
        many = {f"k{n}": n or None for n in range(300)}

        assert 256 == len(quick(many))
        assert pure(many) == quick(many)

    def test_are_of_any_mapping(self, compiled):
        _, quick = scrubbers(compiled)

        for odd in (Hostile(), None, [("a", 1)], 3):
            assert {} == quick(odd)


def kept(notes_type, signals):
    memory, waiting = memoryview(bytearray(flight.SIZE)), []
    notes = notes_type(memory)
    sizes = [notes.keep(flight.LOG, signal, waiting) for signal in signals]
    return bytes(memory), waiting, sizes


class TestLabelsOfSpans:
    @settings(max_examples=300)
    @given(st.lists(SAID, min_size=1, max_size=4))
    def test_are_those_of_python_noted_and_kept(self, compiled, said):
        pure, quick = scrubbers(compiled)
        one, other = (memoryview(bytearray(flight.SIZE)) for _ in range(2))
        slow = PureExtras(pure, PureNotes(one))
        fast = compiled.Extras(quick, compiled.Notes(other))

        for mapping in said + said:
            assert slow.keep(mapping) == fast.keep(mapping)
        assert one == other


class TestNotes:
    @given(
        st.lists(
            st.one_of(
                st.builds(Log, time=NUMBERS, body=WORDS, template=WORDS, attributes=TEXTS),
                st.builds(Event, time=NUMBERS, name=WORDS, sequence=NUMBERS, attributes=TEXTS),
                st.tuples(st.booleans(), st.floats(), st.none(), st.binary(max_size=9), NUMBERS),
                st.tuples(st.sampled_from(["\ud800", "x" * 40_000, "y" * 300, "z" * 70_000])),
            ),
            max_size=20,
        )
    )
    def test_are_the_same_bytes(self, compiled, signals):
        assert kept(PureNotes, signals) == kept(compiled.Notes, signals)

    @given(st.lists(st.binary(max_size=30_000), max_size=30))
    def test_wrap_where_pythons_do(self, compiled, payloads):
        one, other = (memoryview(bytearray(flight.SIZE)) for _ in range(2))
        pure, quick = PureNotes(one), compiled.Notes(other)

        assert [pure.add(3, data) for data in payloads] == [quick.add(3, data) for data in payloads]
        assert one == other

    def test_wait_in_their_order(self, compiled):
        notes, waiting = compiled.Notes(memoryview(bytearray(flight.SIZE))), []
        large = ("x" * flight.NOTES_BYTES,)

        assert [5, flight.NOTES_BYTES + 6] == [
            notes.keep(1, signal, waiting) for signal in (("one",), large)
        ]
        assert [(8, 5, ("one",)), (0, flight.NOTES_BYTES + 6, large)] == waiting

    def test_of_too_little_memory_take_nothing(self, compiled):
        notes, waiting = compiled.Notes(bytearray(flight.NOTES_AT)), []

        assert 0 == notes.add(1, b"x")
        assert 2 == notes.keep(1, ("a",), waiting) - 1
        assert [(0, 3, ("a",))] == waiting or waiting[0][0] == 0


ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.one_of(st.none(), st.dictionaries(st.sampled_from("abcé"), st.text(max_size=3))),
        st.sampled_from([{}, {flight.EVENTS: "[1]"}, {flight.EVENTS: "[2]", flight.LINKS: "[3]"}]),
    ),
    max_size=12,
)
SITES = [{}, {"a": "of the site", "z": "too"}, {"z": "another"}]


def asked_of(extras, rows):
    numbers = [extras.keep(said, apart) if said is not None else 0 for _, said, apart in rows]
    places = packed(U32, [site for site, _, _ in rows])
    return numbers, {"sites": SITES, "places": places, "numbers": packed(U64, numbers)}


class TestExtras:
    @given(ROWS, st.booleans())
    def test_are_the_same_columns_and_notes(self, compiled, rows, noted):
        one, other = (memoryview(bytearray(flight.SIZE)) for _ in range(2))
        pure = PureExtras(dict, PureNotes(one) if noted else None)
        quick = compiled.Extras(dict, compiled.Notes(other) if noted else None)
        numbers, asked = asked_of(pure, rows)

        assert (numbers, asked) == asked_of(quick, rows)
        assert one == other
        assert columns_of(pure, **asked) == columns_of(quick, **asked)
        assert (0, 0) == (len(pure), len(quick))

    @settings(max_examples=300)
    @given(ROWS, st.booleans())
    def test_are_packed_as_the_same_bytes(self, compiled, rows, alike):
        rows = [(0, said, {}) for _, said, _ in rows] if alike else rows
        pure, quick = PureExtras(dict), compiled.Extras(dict)
        _, asked = asked_of(pure, rows)
        asked_of(quick, rows)

        expected, *more = columns_of(pure, **asked)
        column, *others = columns_of(quick, **asked, packed=True)
        assert more == others
        assert pack(expected) == (column.data if isinstance(column, Packed) else pack(column))

    def test_are_packed_where_rows_differ(self, compiled):
        extras = compiled.Extras(dict)
        numbers = packed(U64, [extras.keep({"a": "x"}), extras.keep({"a": "y"})])

        column, events, links = extras.columns([{"z": "t" * 300}], b"", numbers, True)
        texts = ["t" * 300, "x", "t" * 300, "y"]
        expected = ["k", packed(U32, [2, 2]), packed(U32, [0, 1, 0, 1]), ["z", "a"], texts]
        assert (pack(expected), None, None) == (column, events, links)

    @given(st.lists(st.dictionaries(st.text(max_size=40), st.text(max_size=300)), max_size=30))
    def test_are_taken_in_any_order(self, compiled, said):
        extras = compiled.Extras(dict)
        numbers = [extras.keep(one) for one in said]

        for number, one in sorted(
            zip(numbers, said, strict=True), key=lambda kept: kept[0] * 37 % 101
        ):
            assert one == extras.take(number)
        assert 0 == len(extras)

    def test_of_nothing_are_nothing(self, compiled):
        assert 0 == compiled.Extras().keep({"a": 1})
        assert 0 == compiled.Extras(dict).keep({})
        assert {} == compiled.Extras(dict).take(3)

    def test_hand_what_is_odd_to_python(self, compiled):
        extras = compiled.Extras(dict)
        number = extras.keep({"a": "b"})

        for sites, places, numbers in (
            ([{"a": 1}], b"", packed(U64, [number])),
            ([Hostile()], b"", packed(U64, [number])),
            ([{}], packed(U32, [1]), packed(U64, [number])),
            ([{}], b"x", packed(U64, [number])),
            ([{}], b"", b"123"),
        ):
            assert NotImplemented is extras.columns(sites, places, numbers)
        assert {"a": "b"} == extras.take(number)
