"""What a receiver has refused of late, and for how long that is told."""

from __future__ import annotations

import pytest

from qmon_agent.forward.refusals import Refusals


class Hand:
    """Seconds that stand still until they are moved."""

    def __init__(self):
        self.at = 1000.0

    def __call__(self):
        return self.at


@pytest.fixture
def hand():
    return Hand()


@pytest.fixture
def refusals(hand):
    return Refusals(now=hand)


class TestRefusals:
    def test_say_nothing_while_all_is_taken(self, refusals):
        refusals.tell(taken=1000, refused=0, why="")

        assert ("", False) == (refusals.words, refusals.is_much)

    def test_say_how_many_and_why_last(self, refusals):
        refusals.tell(taken=5, refused=2, why="HTTP 400")
        refusals.tell(taken=3, refused=0, why="")

        assert refusals.words == "2 of 10 signals were refused in the last 10 minutes: HTTP 400"

    @pytest.mark.parametrize(("refused", "much"), [(0, False), (1, False), (4, False), (5, True)])
    def test_are_much_from_every_twentieth_on(self, refusals, refused, much):
        refusals.tell(taken=100 - refused, refused=refused, why="late")

        assert (bool(refused), much) == (bool(refusals.words), refusals.is_much)

    def test_add_up_over_the_minutes(self, refusals, hand):
        for _ in range(5):
            refusals.tell(taken=1, refused=1, why="late")
            hand.at += 60

        assert refusals.words.startswith("5 of 10 ")

    @pytest.mark.parametrize("calls", [0, 1])
    def test_are_forgotten_by_themselves(self, refusals, hand, calls):
        refusals.tell(taken=0, refused=9, why="late")
        hand.at += 601
        for _ in range(calls):
            refusals.tell(taken=1, refused=0, why="")

        assert ("", False) == (refusals.words, refusals.is_much)

    def test_are_told_for_nine_minutes_at_least(self, refusals, hand):
        hand.at = 1019.0
        refusals.tell(taken=0, refused=9, why="late")
        hand.at += 540

        assert refusals.is_much
