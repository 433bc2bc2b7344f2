"""The index of what was seen: right within its bounds, and bounded."""

from __future__ import annotations

from qmon_agent.journal import JournalOptions
from qmon_agent.journal.dedup import DedupIndex

SECOND = 1_000_000_000


def process(number):
    return number.to_bytes(16, "big")


class TestDedupIndex:
    def test_keeps_one_interval_for_a_process_that_counts(self):
        index = DedupIndex(JournalOptions(dedup_intervals=1))
        for sequence in range(1, 10_000):
            index.add(process(1), sequence, 0)
        assert (process(1), 5000) in index
        assert (process(1), 10_000) not in index
        assert 0 == index.forgotten

    def test_forgets_the_processes_that_are_silent_for_longest(self):
        index = DedupIndex(JournalOptions(dedup_processes=80))
        for number in range(81):
            index.add(process(number), 1, number * SECOND)
        assert 70 == len(index)
        assert (process(80), 1) in index
        assert (process(10), 1) not in index
        assert 11 == index.forgotten

    def test_forgets_who_was_silent_for_too_long_when_it_is_full(self):
        index = DedupIndex(JournalOptions(dedup_processes=8, dedup_silence_s=10))
        for number in range(8):
            index.add(process(number), 1, 0)
        index.add(process(9), 1, 11 * SECOND)
        assert 1 == len(index)

    def test_forgets_the_oldest_gaps_of_the_busiest(self):
        index = DedupIndex(JournalOptions(dedup_intervals=100))
        index.add(process(2), 1, 0)
        for sequence in range(0, 2000, 2):
            index.add(process(1), sequence, 0)
        assert (process(1), 1998) in index
        assert (process(1), 0) not in index
        assert (process(2), 1) in index

    def test_forgets_what_is_long_over_before_what_is_under_way(self):
        index = DedupIndex(JournalOptions(dedup_intervals=1_000))
        for turn in range(3):
            for sequence in range(0, 900, 2):
                index.add(process(turn), sequence, turn * SECOND)

        assert all((process(2), sequence) in index for sequence in range(0, 900, 2))
        assert (process(0), 0) not in index

    def test_is_bounded_whatever_it_is_told(self):
        index = DedupIndex(JournalOptions(dedup_intervals=20_000))
        for sequence in range(0, 100_000, 2):
            index.add(process(1), sequence, 0)

        [(_, _, starts, ends)] = index.rows()

        assert len(starts) == len(ends) <= 20_000 * 8
        assert index.forgotten == 50_000 - len(starts) // 8

    def test_takes_in_another_index(self):
        one, other = DedupIndex(JournalOptions()), DedupIndex(JournalOptions())
        one.add(process(1), 1, 0)
        other.add(process(1), 3, 5)
        other.add(process(2), 9, 5)
        one.merge(other.rows())
        assert all(key in one for key in ((process(1), 1), (process(1), 3), (process(2), 9)))
        assert (process(1), 2) not in one
