"""Names that are about one another: which of them lead back to themselves."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.composing import circles

NAMES = "abcdef"
FOLLOWS = st.dictionaries(
    st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES + "x"), max_size=3), max_size=6
)


def leads_to(follows, start):
    """All that a name is about, straight away or by way of others."""
    found, left = set(), [*follows.get(start, ())]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += follows.get(name, ())
    return found


class TestCircles:
    @given(FOLLOWS)
    def test_are_ways_that_are_there_and_lead_back(self, follows):
        for circle in circles(follows):
            steps = [*pairwise(circle)]

            assert circle[0] == circle[-1]
            assert all(after in follows[before] for before, after in steps)

    @given(FOLLOWS)
    def test_are_found_where_there_are_any_and_only_there(self, follows):
        are_there = any(name in leads_to(follows, name) for name in follows)

        assert are_there is bool([*circles(follows)])
