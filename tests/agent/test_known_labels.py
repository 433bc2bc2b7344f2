"""Labels are what they are, whether they were read before or not."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.store.telemetry.arrays import array_of
from qmon_agent.store.telemetry.known_labels import KnownLabels
from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.signals import FIELDS, Point

WORDS = st.sampled_from(["", "a", "b", "1"])
ATTRIBUTES = [field.name for field in FIELDS["point"]].index("attributes")
COLUMNS = st.lists(st.dictionaries(WORDS, WORDS, max_size=3), min_size=1, max_size=6).map(
    lambda rows: (block_of("point", [Point(attributes=each) for each in rows]), len(rows))
)


def places(*numbers):
    return array("I", numbers).tobytes()


class TestLabelsThatAreKnown:
    @given(st.lists(COLUMNS), st.sampled_from([0, 200, 1_000, 1 << 20]))
    def test_are_those_that_the_column_says(self, written, most_bytes):
        known = KnownLabels(most_bytes)
        for block, rows in [*written, *written]:
            column = block.columns[ATTRIBUTES]

            assert array_of(column, "Labels", rows).equals(known.read(column, rows))

    def test_are_read_once(self):
        known, column = KnownLabels(), ["k", places(1, 1), places(0, 0), ["a"], ["1", "2"]]

        assert known.read([*column], 2) is known.read([*column], 2)

    def test_are_told_apart_by_how_many_rows_there_are(self):
        known, column = KnownLabels(), ["k", places(1, 1), places(0, 0), ["a"], ["1", "2"]]
        known.read(column, 2)

        with pytest.raises(ValueError, match="2 rows, not 3"):
            known.read(column, 3)

    def test_take_no_more_room_than_they_may(self):
        known = KnownLabels(most_bytes=10_000)
        for number in range(100):
            known.read(["k", places(1), places(0), ["a"], [f"{number:0100}"]], 1)
        known.read(["k", places(1), places(0), ["a"], ["x" * 5_000]], 1)

        kept = [each.nbytes for each in known._known.values()]
        assert 50 < len(kept) < 100
        assert sum(kept) == known._bytes <= 10_000

    @pytest.mark.parametrize(
        "column", [["k"], ["k", {}, object(), [], 1 << 80], ["d", places(9), [{}]], [["k"] * 3], 7]
    )
    def test_are_refused_as_ever(self, column):
        for _ in range(2):
            known = KnownLabels()
            with pytest.raises(ValueError, match=r"."):
                known.read(column, 1)
