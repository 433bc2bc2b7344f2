"""Which errors are one problem, and messages as errors."""

from __future__ import annotations

import pytest

import qmon_sdk as qmon


def failing(depth=0):
    if depth:
        return failing(depth - 1)
    raise ValueError("no such order")


def caught(function=failing, *args):
    with pytest.raises(Exception) as raised:  # noqa: PT011 - any
        function(*args)
    return raised.value


class TestGrouping:
    def test_is_by_type_and_way_not_by_line_or_message(self, qmon_capture):
        def either(first):
            if first:
                raise ValueError("order 1")
            raise ValueError("order 2")

        for first in (True, False):
            qmon.capture_exception(caught(either, first))
        one, two = qmon_capture.errors
        assert one.grouping == two.grouping

    def test_is_the_same_however_deep_a_recursion_got(self, qmon_capture):
        for depth in (3, 30, 300):
            qmon.capture_exception(caught(failing, depth))
        assert len({error.grouping for error in qmon_capture.errors}) == 1

    def test_tells_types_apart(self, qmon_capture):
        qmon.capture_exception(caught())
        qmon.capture_exception(caught(int, "x"))
        one, two = qmon_capture.errors
        assert one.grouping != two.grouping

    def test_is_what_the_fingerprint_says(self, qmon_capture):
        qmon.capture_exception(caught(), fingerprint="payments")
        qmon.capture_exception(caught(int, "x"), fingerprint=["payments"])
        qmon.capture_exception(caught(), fingerprint=["{{ default }}", "eu"])
        one, two, three = qmon_capture.errors
        assert one.grouping == two.grouping != three.grouping


class TestCaptureMessage:
    def test_keeps_a_message_with_the_stack_of_the_caller(self, qmon_capture):
        error_id = qmon.capture_message("till 4 is empty", "warning")
        (error,) = qmon_capture.errors
        assert (error.error_id, error.type, error.level) == (error_id, "Message", "warning")
        assert error.culprit.endswith("test_keeps_a_message_with_the_stack_of_the_caller")

    def test_groups_messages_that_differ_in_digits(self, qmon_capture):
        for till in (4, 17):
            qmon.capture_message(f"till {till} is empty")
        one, two = qmon_capture.errors
        assert one.grouping == two.grouping
        qmon.capture_message("till is full")
        assert qmon_capture.errors[-1].grouping != one.grouping
