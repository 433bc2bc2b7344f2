"""Funnels: who comes to the end, in bounded memory, whatever order things are told in."""

from itertools import combinations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.distinct import mark_of
from qmon_agent.domain.funnels import (
    MOST_SEEN,
    MOST_USERS,
    Crowd,
    Figure,
    figure,
    is_surely_lower,
    joined,
    since,
)

STEPS = 3
SEEN = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 7)), max_size=7)


def crowd_of(told):
    return joined(Crowd(), told, steps=STEPS)


def naively(seen, entries, within):
    """By every choice of three events in order: the words of the law, and nothing clever."""
    seen = sorted(seen)
    begun = [n for n, (at, bits) in enumerate(seen) if bits & 1 and entries[0] < at <= entries[1]]
    ended = any(
        chosen[0] in begun
        and all(seen[n][1] >> step & 1 for step, n in enumerate(chosen))
        and seen[chosen[-1]][0] - seen[chosen[0]][0] <= within
        for chosen in combinations(range(len(seen)), STEPS)
    )
    return Figure(entered=bool(begun), converted=ended)


class TestFigure:
    @given(SEEN, st.integers(0, 8), st.integers(0, 8), st.integers(0, 12), st.randoms())
    def test_is_of_those_who_took_each_step_in_order_and_in_time(
        self, seen, after, lasts, within, random
    ):
        told = [(1, at, bits) for at, bits in seen]
        random.shuffle(told)
        entries = after, after + lasts
        users = crowd_of(told).users

        assert naively(seen, entries, within) == figure(
            users, entries, steps=STEPS, within_ns=within
        )

    def test_counts_a_user_once(self):
        told = [(1, at, 1) for at in (1, 2, 3)]

        assert Figure(entered=1, converted=0) == figure(
            crowd_of(told).users, (0, 9), steps=STEPS, within_ns=5
        )

    def test_is_not_spoiled_by_a_step_that_is_repeated_for_ever(self):
        told = [(1, 1, 1), *((1, at, 2) for at in range(2, 500)), (1, 500, 4)]

        assert Figure(entered=1, converted=1) == figure(
            crowd_of(told).users, (0, 9), steps=STEPS, within_ns=999
        )


class TestCrowd:
    def test_is_bounded_and_a_fair_sample(self):
        random = Random(7)
        crowd = Crowd()
        for n in range(8_000):
            told = [(mark_of(f"u{n}"), n + 1, 1)]
            told += [(told[0][0], n + 2, 6)] if random.random() < 0.3 else []
            crowd = joined(crowd, told, steps=2)
        found = figure(crowd.users, (0, 9_999), steps=2, within_ns=5)

        assert crowd.is_sample
        assert MOST_USERS // 2 < len(crowd.users) <= MOST_USERS
        assert 0.25 < found.share < 0.35

    @given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 7)), max_size=60))
    def test_keeps_the_newest_of_a_user(self, seen):
        crowd = crowd_of([(1, at, bits) for at, bits in seen])

        assert all(len(kept) <= MOST_SEEN for kept in crowd.users.values())
        assert all(kept == sorted(kept) for kept in crowd.users.values())

    def test_lets_more_in_again_when_few_are_left(self):
        crowd = Crowd(users={"000000000001": [[1, 1], [5, 2]]}, limit=8)

        after = since(crowd, 4)
        assert ({"000000000001": [[5, 2]]}, 16) == (after.users, after.limit)
        assert {} == since(crowd, 5).users


class TestChance:
    @given(st.integers(0, 50), st.integers(1, 50))
    def test_is_no_drop_by_itself(self, converted, entered):
        same = Figure(entered=entered, converted=min(converted, entered))

        assert not is_surely_lower(same, same)
        assert not is_surely_lower(Figure(), same)

    def test_needs_many_to_be_ruled_out(self):
        few = Figure(entered=50, converted=3), Figure(entered=50, converted=5)
        many = Figure(entered=5_000, converted=300), Figure(entered=5_000, converted=500)

        assert [False, True] == [is_surely_lower(*few), is_surely_lower(*many)]
