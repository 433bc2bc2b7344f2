"""What is remembered of bytes that come again stays within one budget, whoever remembers it."""

from __future__ import annotations

import pytest

from qmon_agent.ingest.recollection import MOST_BYTES, Recollections, budget_of
from qmon_agent.ingest.shares import Level

MIB = 1 << 20


@pytest.fixture
def budget():
    return Recollections(10 * MIB)


@pytest.fixture
def known(budget):
    """Each thing remembered takes a mebibyte."""
    return budget.new(lambda _: MIB)


def found(known, *keys):
    return [key for key in keys if known.fresh.get(key) or known.again(key)]


class TestRecollection:
    def test_knows_what_it_was_told(self, known):
        known.add("a", 1)

        assert (1, None) == (known.fresh.get("a"), known.again("b"))

    def test_takes_no_more_than_all_may(self, budget, known):
        other = budget.new(lambda _: 3 * MIB)
        for number in range(20):
            known.add(number, number + 1)
            other.add(number, number + 1)

        assert budget.used <= budget.most
        assert len(known) + 3 * len(other) == budget.used / MIB

    def test_makes_room_when_others_are_asked_for(self, known):
        for round_ in range(1, 9):
            for key in range(100 * (round_ // 5), 100 * (round_ // 5) + 10):
                if not found(known, key):
                    known.add(key, "known")

        assert [*range(100, 110)] == found(known, *range(200))

    def test_keeps_its_part_of_what_is_too_much(self, known):
        hits = []
        for _ in range(10):
            hits.append(len(found(known, *range(30))))
            for key in range(30):
                if not found(known, key):
                    known.add(key, "known")

        assert sum(hits) >= 70

    def test_gives_back_what_it_forgets(self, budget, known):
        known.add("a", 1)
        known.forget()

        assert (0, 0, None) == (budget.used, len(known), known.again("a"))


class TestBudget:
    def test_is_half_after_memory_was_little(self, budget, known):
        known.add("a", 1)
        budget.squeeze(Level.CROWDED)
        known.add("b", 1)
        budget.squeeze(Level.FULL)
        budget.squeeze(Level.FREE)
        known.add("c", 1)

        assert (5 * MIB, ["c"]) == (budget.most, found(known, "a", "b", "c"))

    def test_is_a_part_of_what_the_process_may_have(self):
        assert (4 * MIB, MOST_BYTES) == (budget_of(32 * MIB), budget_of(0))
