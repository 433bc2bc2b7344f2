"""What goes when: below every cursor, over the bytes, over the age; and the account of it."""

from __future__ import annotations

import pytest

from qmon_agent.domain.clock import HandClock
from qmon_agent.journal import START, Journal, JournalOptions, JournalReader

SENDER = b"s" * 16


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def journal(tmp_path, clock):
    options = JournalOptions(
        segment_bytes=1000, max_bytes=6000, max_age_s=3600, reserve_bytes=0, emergency_bytes=0
    )
    journal = Journal.open(tmp_path, options=options, clock=clock)
    yield journal
    journal.close()


def send(journal, first, last):
    for sequence in range(first, last + 1):
        journal.append(bytes(100), process=SENDER, sequence=sequence)
        journal.commit()


class TestTrim:
    def test_keeps_what_one_cursor_has_not_passed(self, journal, tmp_path):
        send(journal, 1, 30)
        journal.cursors.save("fast", journal.committed)
        journal.cursors.save("slow", START)

        assert 0 == journal.trim().segments
        assert 30 == len(JournalReader(tmp_path).read())

    def test_removes_what_every_cursor_has_passed(self, journal, tmp_path):
        send(journal, 1, 30)
        journal.cursors.save("fast", journal.committed)
        journal.cursors.save("slow", JournalReader(tmp_path).read(until=20)[-1].position)

        trimmed = journal.trim()

        assert (True, {}) == (trimmed.segments > 1, trimmed.lost)
        assert JournalReader(tmp_path).read()[0].record_id <= 21

    def test_keeps_everything_while_there_is_no_cursor_and_room(self, journal):
        send(journal, 1, 30)
        assert 0 == journal.trim().segments

    def test_drops_the_oldest_over_the_bytes_and_says_who_lost_how_much(self, journal, tmp_path):
        journal.cursors.save("slow", START)
        send(journal, 1, 100)

        trimmed = journal.trim()

        kept = len(JournalReader(tmp_path).read())
        assert journal.status().bytes <= 6000
        assert {"slow": 100 - kept} == trimmed.lost == journal.status().lost
        assert 100 == kept + journal.vitals["records_dropped_bytes"]

    def test_drops_by_age(self, journal, clock, tmp_path):
        journal.cursors.save("slow", START)
        send(journal, 1, 20)
        clock.turn(3601)
        send(journal, 21, 40)

        lost = journal.trim().lost["slow"]

        assert 40 == lost + len(JournalReader(tmp_path).read())
        assert lost >= 12

    def test_what_a_reader_misses_is_what_trim_has_counted(self, journal, tmp_path):
        send(journal, 1, 10)
        reader = JournalReader(tmp_path)
        journal.cursors.save("slow", reader.read(until=3)[-1].position)
        send(journal, 11, 120)

        lost = journal.trim().lost["slow"]
        rest = reader.read()
        late = JournalReader(tmp_path, journal.cursors.load("slow"))
        late.read()

        assert lost == late.missed
        assert 120 == 3 + reader.missed + len(rest)
        assert reader.missed <= lost  # it still had hold of the segment it was in

    def test_a_reader_that_is_gone_for_good_holds_nothing_back(self, journal):
        send(journal, 1, 30)
        journal.cursors.save("fast", journal.committed)
        journal.cursors.save("gone", START)
        journal.cursors.remove("gone")
        assert journal.trim().segments > 1
