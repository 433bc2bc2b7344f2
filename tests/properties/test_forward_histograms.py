"""A distribution that leaves as an OTLP histogram says what it said before, to the last count."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.forward.otlp.points import histogram_of
from qmon_sdk.protocol.buckets import bucket_of, bucket_value

VALUES = st.lists(st.floats(min_value=-1e300, max_value=1e300), max_size=50)


@given(VALUES)
def test_every_bucket_has_a_place_of_its_own(values):
    buckets = Counter(map(bucket_of, values))

    bounds, counts = histogram_of(buckets)

    assert all(below < above for below, above in pairwise(bounds))
    assert len(values) == sum(counts)
    middles = {index: bisect_left(bounds, bucket_value(index)) for index in buckets}
    assert {**buckets} == {index: counts[place] for index, place in middles.items()}


@given(st.dictionaries(st.integers(-(1 << 31), 1 << 31), st.integers(0, 1 << 60), max_size=20))
def test_what_a_stranger_wrote_becomes_a_histogram_too(buckets):
    bounds, counts = histogram_of(buckets)

    assert all(below < above for below, above in pairwise(bounds))
    assert sum(buckets.values()) == sum(counts)
    assert not buckets or len(counts) == len(bounds) + 1
