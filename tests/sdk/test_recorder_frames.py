"""Frames of a flush: as few as can be, since one costs what hundreds of its spans do."""

from __future__ import annotations

import threading

import qmon_sdk as qmon
from qmon_sdk.recorder.outgoing import PLAIN_ROWS_PER_FRAME


@qmon.instrument
def work():
    pass


def work_beside(others):
    work()
    others.wait(10)  # until when each has its thread to itself


def frames_since(told, number):
    qmon.flush()
    return [frame for frame in told.frames[number:] if frame.blocks or frame.ledger]


def kinds(frame):
    return [block.kind for block in frame.blocks]


class TestAFlush:
    def test_is_one_frame_of_all_kinds_and_the_books(self, told):
        work()
        qmon.log.info("once")
        qmon.count("times")

        (frame,) = frames_since(told, len(told.frames))
        assert {"span", "log", "point"} == set(kinds(frame))
        assert 1 == frame.ledger.captured["span"]

    def test_puts_spans_of_several_threads_into_one(self, told):
        together = threading.Barrier(3)
        others = [threading.Thread(target=work_beside, args=(together,)) for _ in range(3)]
        for other in others:
            other.start()
        for other in others:
            other.join()

        (frame,) = frames_since(told, len(told.frames))
        assert ["span"] * 3 == kinds(frame)

    def test_of_many_spans_is_several_frames_of_a_bounded_size(self, told):
        for _ in range(3 * PLAIN_ROWS_PER_FRAME):
            work()

        rows = [block.rows for frame in frames_since(told, 0) for block in frame.blocks]
        assert sum(rows) == 3 * PLAIN_ROWS_PER_FRAME
        assert max(rows) <= PLAIN_ROWS_PER_FRAME
