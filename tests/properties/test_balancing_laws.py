"""Rendezvous hashing: who goes where depends on nothing but the names, and few ever move."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.forward.balancing import Presence, ranked

senders = st.binary(min_size=16, max_size=16)
places = st.lists(st.text(min_size=1, max_size=20), min_size=2, max_size=8, unique=True)


class TestRanked:
    @given(senders, places, st.randoms())
    def test_depends_on_no_order(self, sender, names, chance):
        mixed = chance.sample(names, len(names))

        assert ranked(sender, names) == ranked(sender, mixed)
        assert sorted(names) == sorted(ranked(sender, names))

    @given(senders, places)
    def test_who_goes_away_moves_nobody_else(self, sender, names):
        order = ranked(sender, names)

        for gone in names:
            left = [name for name in names if name != gone]
            assert [name for name in order if name != gone] == ranked(sender, left)

    def test_shares_evenly_and_so_do_the_senders_of_one_that_is_away(self):
        names = [f"https://gateway-{n}:7690" for n in range(4)]
        orders = [ranked(n.to_bytes(16, "big"), names) for n in range(8000)]

        first = Counter(order[0] for order in orders)
        second = Counter(order[1] for order in orders if order[0] == names[0])

        assert all(abs(count - 2000) < 200 for count in first.values())
        assert all(abs(count - first[names[0]] / 3) < 100 for count in second.values())


class TestPresence:
    @given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
    def test_is_left_alone_the_longer_the_more_often_it_failed(self, pauses):
        presence, now = Presence(["a", "b"], first_s=5.0), 0.0
        for number, pause in enumerate(pauses):
            now += pause
            presence.missed("a", now, why="gone")
            held = min(60.0, 5.0 * 2.0**number)
            assert ["b"] == presence.present(now + held - 0.01)
            assert ["a", "b"] == presence.present(now + held + 0.01)

    def test_who_answers_is_there_again(self):
        presence = Presence(["a"], first_s=5.0)
        presence.missed("a", 1.0, why="gone", asked_s=600.0)
        assert ([], {"a": "gone"}) == (presence.present(599.0), presence.states())

        presence.everybody_may_be_tried()
        assert ["a"] == presence.present(2.0)
        presence.answered("a")

        assert {"a": "ok"} == presence.states()
