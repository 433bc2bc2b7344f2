"""Releases: what is later than what."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.releases import is_newer, version_of

EARLY = ["1.0.dev1", "1.0a1", "1.0-alpha.2", "1.0b1", "1.0rc1", "1.0", "1.0.post1"]
LATER = ["1.0.1-rc.1", "1.0.1", "v1.2", "shop@1.10", "1.10.0.1+build.5", "2.0", "2026.11.27"]
ORDERED = EARLY + LATER
NUMBERS = st.lists(st.integers(0, 99), min_size=1, max_size=4)


class TestVersions:
    def test_are_ordered_as_people_count_them(self):
        assert all(is_newer(after, [before]) for before, after in pairwise(ORDERED))
        assert not any(is_newer(before, [after]) for before, after in pairwise(ORDERED))

    @given(NUMBERS, NUMBERS)
    def test_are_later_one_way_only(self, one, other):
        a, b = (".".join(map(str, numbers)) for numbers in (one, other))
        assert not (is_newer(a, [b]) and is_newer(b, [a]))

    @given(st.text(max_size=20))
    def test_of_whatever_is_told_are_not_later_than_themselves(self, text):
        assert not is_newer(text, [text])

    @pytest.mark.parametrize("same", [("1.0", "1.0.0"), ("v1.0", "1.0"), ("shop@1.0", "1.0")])
    def test_may_be_written_in_several_ways(self, same):
        assert not is_newer(*(same[0], [same[1]]))

    @pytest.mark.parametrize("text", ["3f2c1ab", "12a3456", "main", "", "1.0-shop", "1.0rc1.dev2"])
    def test_are_none_where_nobody_could_order_them(self, text):
        assert version_of(text) is None

    def test_have_to_be_later_than_every_one_that_was_seen(self):
        assert not is_newer("1.5", ["1.4", "main", "2.0"])
        assert is_newer("2.1", ["1.4", "main", "2.0"])
