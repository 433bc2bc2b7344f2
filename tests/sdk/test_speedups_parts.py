"""The parts of the accelerator, each beside what it stands in for."""

from __future__ import annotations

import gc
from itertools import chain

import pytest

from qmon_sdk.spans import OpenSpan


class Source:
    """Gives what it is told to, in turn; an exception is raised."""

    def __init__(self, *given):
        self.given = list(given)

    def __iter__(self):
        return self

    def __next__(self):
        if not self.given:
            raise StopIteration
        step = self.given.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


class TestSupply:
    @pytest.mark.parametrize(
        "given",
        [
            (range(3), range(10, 30, 9), range(0)),
            (range(1, 3), [7, 8], [], (9,), range(2)),
            (range((1 << 63) + 5, (1 << 63) + 9),),
            (),
        ],
    )
    def test_hands_out_what_a_chain_would(self, compiled, given):
        expected = list(chain.from_iterable(given))

        assert expected == list(compiled.Supply(Source(*given)))

    def test_ends_for_good_when_its_source_has(self, compiled):
        source = Source(range(2))
        supply = compiled.Supply(source)
        assert [0, 1] == list(supply)
        source.given.append(range(2))

        assert [] == list(supply)

    def test_raises_what_its_source_raises_and_goes_on(self, compiled):
        supply = compiled.Supply(Source(KeyError("once"), range(5, 6)))

        with pytest.raises(KeyError):
            next(supply)
        assert 5 == next(supply)

    @pytest.mark.parametrize("wrong", [3, None, range(-1, 3), ["x"], range(0, -5, -1)])
    def test_refuses_what_are_no_numbers(self, compiled, wrong):
        with pytest.raises((TypeError, OverflowError)):
            next(compiled.Supply(Source(wrong)))


class TestStack:
    def test_gives_back_what_was_put_last(self, compiled):
        stack = compiled.Stack([1, 2])
        stack.append(3)

        assert [3, 2, 1] == [stack.pop() for _ in range(3)]
        assert 0 == len(stack)
        with pytest.raises(IndexError):
            stack.pop()

    @pytest.mark.parametrize("wrong", [-1, "x", None, 1 << 64])
    def test_refuses_what_is_no_place(self, compiled, wrong):
        with pytest.raises((TypeError, OverflowError)):
            compiled.Stack([wrong])


class TestCell:
    def test_keeps_who_says_more_about_its_span(self, compiled):
        cell = compiled.Cell(3)
        opened = OpenSpan(7)
        cell.span = opened

        assert cell.span is opened
        assert 7 == cell.child(7).span
        cell.span = 9
        assert (9, int) == (cell.span, type(cell.span))

    def test_makes_children_at_its_place(self, compiled):
        cell = compiled.Cell(3)
        cell.trace_hi, cell.trace_lo, cell.always, cell.lane = 1, (1 << 64) - 1, True, object()
        child = cell.child(5)

        assert (3, 1, (1 << 64) - 1, True) == (
            child.thread, child.trace_hi, child.trace_lo, child.always,
        )  # fmt: skip
        assert child.lane is cell.lane

    @pytest.mark.parametrize("wrong", [None, "x", -1, 1 << 64])
    def test_refuses_what_is_no_span(self, compiled, wrong):
        with pytest.raises((TypeError, OverflowError)):
            compiled.Cell().span = wrong

    def test_has_no_lane_before_it_gets_one(self, compiled):
        with pytest.raises(AttributeError):
            assert compiled.Cell().lane


class TestLane:
    def test_holds_its_memory_as_long_as_it_may_be_written_to(self, compiled):
        memory = bytearray(64)
        lane = compiled.Lane()
        lane.buf = lane.rows = memoryview(memory)
        with pytest.raises(BufferError):
            memory.extend(b"more")
        lane.buf = lane.rows = memoryview(bytearray(8))
        gc.collect()
        memory.extend(b"more")

        assert 8 == len(lane.buf)

    @pytest.mark.parametrize("wrong", [b"read only", None, memoryview(b"x"), 3])
    def test_refuses_what_cannot_be_written_to(self, compiled, wrong):
        with pytest.raises((BufferError, TypeError)):
            compiled.Lane().rows = wrong


class TestJoining:
    def test_refuses_what_are_no_context_variables(self, compiled):
        nothing = dict.fromkeys(("adopt", "draw", "told", "failed", "trouble", "forked"))

        with pytest.raises(TypeError):
            compiled.join(cell=1, scope=2, cell_type=int, who_place=0, **nothing)

    @pytest.mark.parametrize("wrong", [(), (None,), (print, None), (3, object())])
    def test_wraps_only_what_can_be_called(self, compiled, wrong):
        with pytest.raises((TypeError, AttributeError)):
            compiled.Wrapper(*wrong)
