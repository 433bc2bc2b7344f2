"""Who is to be judged when time alone passes, and who was judged already."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.alerting.wakes import Wakes

MOMENTS = st.lists(st.tuples(st.integers(1, 5), st.none() | st.integers(1, 9)), max_size=30)


class TestWakes:
    def test_come_once_and_in_time(self):
        wakes = Wakes()
        wakes.wish("a", 7)
        wakes.wish("a", 5)
        wakes.wish("b", 6)

        assert [[], ["a", "b"], []] == [wakes.due(now) for now in (4, 6, 9)]

    def test_are_done_with_for_whom_was_judged_at_that_moment(self):
        wakes = Wakes()
        wakes.wish("a", 5)
        wakes.judged("a", 5, wake=8)

        assert [[], ["a"]] == [wakes.due(now) for now in (5, 8)]

    def test_stay_for_whom_was_judged_before(self):
        wakes = Wakes()
        wakes.wish("a", 5)
        wakes.judged("a", 4, wake=8)

        assert ["a"] == wakes.due(5)

    @given(MOMENTS)
    def test_leave_nobody_unjudged_after_a_wish(self, moments):
        wakes, now, wished = Wakes(), 0, None
        for passed, ahead in moments:
            now += passed
            if wished is not None and wished <= now:
                assert ["a"] == wakes.due(now)
            wished = None if ahead is None else now + ahead
            wakes.judged("a", now, wake=wished)
