"""Open spans and rows that Python asks C to write: the bytes are those of Python."""

from __future__ import annotations

import pytest

from qmon_sdk.protocol import flight
from qmon_sdk.recorder import cells
from qmon_sdk.recorder.cells import PureCell
from qmon_sdk.recorder.sites import Site

SITE = Site("open", kind="server")


def placed(cell, lane):
    """Put a cell of either sort at the same place."""
    cell.lane, cell.span, cell.trace_hi, cell.trace_lo = lane, 7, 1 << 63, 5
    return cell


def memory(lane):
    """Make a lane of one slot, in memory that nobody else has."""
    lane.buf = lane.rows = memoryview(bytearray(flight.NOTES_AT))
    lane.thread = 3
    return lane


def bytes_of(lane):
    """Read the slot."""
    return bytes(lane.buf[flight.OPENS_AT + 128 : flight.OPENS_AT + 256])


class Around:
    """What `PureCell` needs of a lane."""


def pair(compiled):
    """Make a cell of each sort, with a free slot."""
    pure, quick = memory(Around()), memory(compiled.Lane())
    pure.marks = pure.buf.cast("Q")
    pure.opens, quick.opens = [flight.OPENS_AT + 128], compiled.Stack([flight.OPENS_AT + 128])
    return placed(PureCell(3), pure), placed(compiled.Cell(3), quick)


class TestOpenSpans:
    @pytest.mark.parametrize("text", [b"", b"GET /", b"x" * 64, b"x" * 65, b"\0"])
    @pytest.mark.parametrize("parent", [0, 5, (1 << 64) - 1])
    def test_are_noted_to_the_byte(self, compiled, text, parent):
        pure, quick = pair(compiled)
        for cell in (pure, quick):
            cell.open(SITE, parent, -5, text)

        assert bytes_of(pure.lane) == bytes_of(quick.lane) != bytes(128)
        assert pure.slot == quick.slot == flight.OPENS_AT + 128

    def test_give_their_slot_back(self, compiled):
        pure, quick = pair(compiled)
        for cell in (pure, quick, pure, quick):
            cell.open(SITE, 0, 1)
            cell.close()
            cell.close()

        assert len(pure.lane.opens) == len(quick.lane.opens) == 1
        assert bytes_of(pure.lane) == bytes_of(quick.lane)

    def test_go_without_where_no_slot_is_free(self, compiled):
        _, quick = pair(compiled)
        quick.lane.opens = []
        quick.open(SITE, 0, 1)

        assert quick.slot == cells.NO_SLOT

    @pytest.mark.parametrize(
        "wrong", [(), (SITE,), (SITE, "0", 1), (None, 0, 1), (SITE, 0, 1, "a")]
    )
    def test_are_told_rightly_or_not_at_all(self, compiled, wrong):
        _, quick = pair(compiled)
        with pytest.raises((TypeError, AttributeError)):
            quick.open(*wrong)

        assert len(quick.lane.opens) == 1

    def test_need_a_lane(self, compiled):
        with pytest.raises(AttributeError):
            compiled.Cell().open(SITE, 0, 1)


class TestRows:
    ROW = (SITE, cells.SCOPE.get(), "error", 1, 2, 3, 4, 5, 6, None)

    @pytest.mark.parametrize("row", [(), ROW[:-1], [*ROW], None])
    def test_have_ten_fields(self, compiled, row):
        with pytest.raises(TypeError):
            compiled.write_row(compiled.Cell(), row, {})

    @pytest.mark.parametrize("place", [3, 5, 8])
    def test_of_other_than_numbers_are_not_written(self, compiled, place):
        _, quick = pair(compiled)
        quick.thread, quick.slots = cells.get_ident(), iter([0])
        row = (*self.ROW[:place], "x", *self.ROW[place + 1 :])

        with pytest.raises(TypeError):
            compiled.write_row(quick, row, {})
        assert next(quick.slots) == 0

    def test_of_another_thread_or_with_more_to_say_are_for_python(self, compiled):
        _, quick = pair(compiled)
        quick.slots = iter([0])
        assert not compiled.write_row(quick, self.ROW, {})
        quick.thread = cells.get_ident()
        assert not compiled.write_row(quick, (*self.ROW[:-1], {"a": 1}), {})
        assert compiled.write_row(quick, self.ROW, {"error": 2 << 32})
        what = int.from_bytes(quick.lane.buf[40:48], "little")
        assert what == SITE.number | 2 << 32
