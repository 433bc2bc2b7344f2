"""The journal when nothing goes wrong."""

from __future__ import annotations

import errno
from functools import partial

import pytest

from qmon_agent.domain.clock import HandClock
from qmon_agent.journal import (
    START,
    Journal,
    JournalInUseError,
    JournalOptions,
    JournalReader,
)
from qmon_agent.journal.disk import OsDisk

SENDER = b"s" * 16
SMALL = JournalOptions(segment_bytes=1000, reserve_bytes=0, emergency_bytes=0)


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def home(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def journal(home, clock):
    journal = Journal.open(home, options=SMALL, clock=clock)
    yield journal
    journal.close()


class Growing(OsDisk):
    """On which a file is shown up to a byte, and grows when somebody asks how long it is."""

    def __init__(self, shown):
        self.shown = shown

    def open(self, path, mode, /):
        file = super().open(path, mode)
        file.size, file.read_at = partial(self.size, file.size), partial(self.read, file.read_at)
        return file

    def size(self, asked):
        shown, self.shown = min(self.shown, asked()), asked()
        return shown

    def read(self, asked, size, offset):
        return asked(max(0, min(size, self.shown - offset)), offset)


class Unreadable(OsDisk):
    """On which the first segment cannot be read until it is well."""

    is_well = False

    def open(self, path, mode, /):
        file = super().open(path, mode)
        if path.name.startswith("0000000001"):
            file.read_at = partial(self.read, file.read_at)
        return file

    def read(self, asked, size, offset):
        if not self.is_well:
            raise OSError(errno.EIO, "Input/output error")
        return asked(size, offset)


def fill(journal, first, last, *, size=100):
    for sequence in range(first, last + 1):
        journal.append(bytes([sequence]) * size, process=SENDER, sequence=sequence)
        journal.commit()


class TestJournal:
    def test_gives_back_the_bytes_it_took(self, journal, home, clock):
        record_id = journal.append(b"frame", process=SENDER, sequence=7)
        position = journal.commit()

        (record,) = JournalReader(home).read()

        assert b"frame" == record.payload
        assert (SENDER, 7) == (record.process, record.sequence)
        assert (record_id, clock.now(), position) == (
            record.record_id,
            record.time,
            record.position,
        )

    def test_knows_what_is_durable_and_not_what_is_pending(self, journal):
        journal.append(b"frame", process=SENDER, sequence=7)
        assert not journal.seen(SENDER, 7)

        journal.commit()

        assert journal.seen(SENDER, 7)
        assert not journal.seen(SENDER, 8)

    def test_commits_nothing_when_nothing_is_pending(self, journal):
        fill(journal, 1, 1)
        assert journal.commit() == journal.commit()
        assert 1 == journal.vitals["commits"]

    def test_goes_on_in_the_same_segment_after_a_restart(self, journal, home):
        fill(journal, 1, 2)
        journal.close()
        again = Journal.open(home, options=SMALL)
        fill(again, 3, 4)
        again.close()

        assert [1, 2, 3, 4] == [one.record_id for one in JournalReader(home).read()]
        assert 1 == len(list(home.glob("*.seg")))

    def test_remembers_what_it_has_seen_over_a_restart_and_a_trim(self, journal, home):
        fill(journal, 1, 40)
        journal.cursors.save("store", journal.committed)
        assert journal.trim().segments > 1
        journal.close()

        again = Journal.open(home, options=SMALL)

        assert all(again.seen(SENDER, sequence) for sequence in range(1, 41))
        again.close()

    def test_is_written_by_one_at_a_time(self, journal, home):
        with pytest.raises(JournalInUseError, match="another agent"):
            Journal.open(home, options=SMALL)

    def test_rolls_over_by_count_too(self, home):
        options = JournalOptions(segment_records=3, reserve_bytes=0, emergency_bytes=0)
        journal = Journal.open(home, options=options)
        fill(journal, 1, 10)
        journal.close()
        assert 4 == len(list(home.glob("*.seg")))


class TestDeadLetters:
    def test_are_kept_with_their_reason(self, journal):
        journal.bury(b"\xff\xff", "undecodable")

        (letter,) = journal.dead_letters()

        assert ("undecodable", b"\xff\xff", 2) == (letter.reason, letter.payload, letter.size)

    def test_keep_the_beginning_of_what_is_too_long(self, home):
        options = JournalOptions(dead_payload_bytes=10, reserve_bytes=0, emergency_bytes=0)
        journal = Journal.open(home, options=options)
        journal.bury(bytes(1000), "oversize")

        (letter,) = journal.dead_letters()

        assert (1000, 10) == (letter.size, len(letter.payload))
        journal.close()

    def test_stay_within_their_bytes(self, home):
        options = JournalOptions(dead_bytes=8000, reserve_bytes=0, emergency_bytes=0)
        journal = Journal.open(home, options=options)
        for _ in range(200):
            journal.bury(bytes(100), "undecodable")

        assert sum(path.stat().st_size for path in (home / "dead").iterdir()) <= 8000 + 8 * 200
        assert journal.vitals["dead_segments_dropped"] > 0
        journal.close()

    def test_survive_a_restart_and_are_listed_in_order(self, journal, home):
        journal.bury(b"one", "first")
        journal.close()
        again = Journal.open(home, options=SMALL)
        again.bury(b"two", "second")

        assert ["first", "second"] == [letter.reason for letter in again.dead_letters()]
        assert ["second"] == [letter.reason for letter in again.dead_letters(1)]
        again.close()

    def test_of_before_are_counted_by_sort_and_those_since_are_not(self, journal, home):
        for reason in ("sink a: no", "sink a: never", "oversize: from b"):
            journal.bury(b"x", reason)
        journal.close()
        again = Journal.open(home, options=SMALL)
        again.bury(b"y", "oversize: from c")

        found = [again.dead_letters_found() for _ in range(2)]

        assert [{"sink a": 2, "oversize": 1}] * 2 == found
        again.close()

    def test_of_before_are_none_in_a_new_journal(self, journal):
        before = dict(journal.dead_letters_found())
        journal.bury(b"x", "oversize")

        assert ({}, {}) == (before, journal.dead_letters_found())


class TestCursors:
    def test_survive_a_restart(self, journal, home):
        fill(journal, 1, 3)
        journal.cursors.save("rules", journal.committed)
        place = journal.committed
        journal.close()

        again = Journal.open(home, options=SMALL)

        assert place == again.cursors.load("rules")
        assert again.cursors.load("nobody") is None
        again.close()

    def test_never_go_backwards(self, journal):
        fill(journal, 1, 3)
        journal.cursors.save("rules", journal.committed)
        journal.cursors.save("rules", START)
        assert journal.committed == journal.cursors.load("rules")

    def test_have_names_that_are_names_of_files(self, journal):
        with pytest.raises(ValueError, match="no name for a cursor"):
            journal.cursors.save("../escape", START)


class TestJournalReader:
    def test_follows_over_segments_as_they_come(self, journal, home):
        reader = JournalReader(home)
        seen = []
        for sequence in range(1, 30):
            fill(journal, sequence, sequence)
            seen += [record.record_id for record in reader.read(until=sequence)]
        assert list(range(1, 30)) == seen
        assert 0 == reader.missed

    def test_reads_no_further_than_it_is_told(self, journal, home):
        fill(journal, 1, 20)
        reader = JournalReader(home)
        assert 13 == reader.read(until=13)[-1].record_id
        assert [] == reader.read(until=13)
        assert 14 == reader.read()[0].record_id

    def test_goes_on_from_any_record(self, journal, home):
        fill(journal, 1, 20)
        for record in JournalReader(home).read():
            rest = JournalReader(home, record.position).read()
            assert list(range(record.record_id + 1, 21)) == [one.record_id for one in rest]

    def test_takes_about_as_much_as_it_is_told_and_at_least_one(self, journal, home):
        fill(journal, 1, 6)
        reader = JournalReader(home)
        assert 1 == len(reader.read(max_bytes=1))
        assert 3 == len(reader.read(max_bytes=250))

    def test_tells_how_many_were_trimmed_under_it(self, journal, home):
        fill(journal, 1, 6)
        reader = JournalReader(home)
        reader.read(until=2)
        fill(journal, 7, 40)
        journal.cursors.save("other", journal.committed)
        journal.trim()

        rest = reader.read()

        assert 40 - 2 == len(rest) + reader.missed
        assert reader.missed > 0

    def test_passes_over_nothing_that_is_written_while_it_looks(self, journal, home):
        fill(journal, 1, 3)

        records = JournalReader(home, disk=Growing(150)).read()

        assert [1, 2, 3] == [each.sequence for each in records]

    @pytest.mark.parametrize(("patience_s", "missed"), [(60.0, 0), (0.0, 6)])
    def test_waits_as_long_as_it_is_told_for_a_disk_that_does_not_read(
        self, journal, home, patience_s, missed
    ):
        fill(journal, 1, 9)
        disk = Unreadable()
        reader = JournalReader(home, disk=disk, patience_s=patience_s)
        first = [*reader.read(until=1), *reader.read(until=1)]

        disk.is_well = True
        records = [*first, *reader.read()]

        assert [*range(1 + missed, 10)] == [each.sequence for each in records]
        assert missed == reader.missed

    def test_steps_over_a_segment_it_may_not_read(self, journal, home):
        fill(journal, 1, 20)
        second = sorted(home.glob("*.seg"))[1]
        second.unlink()
        second.mkdir()
        reader = JournalReader(home)
        assert 20 == len(reader.read()) + reader.missed
        assert 1 == reader.unreadable_segments

    def test_does_not_believe_a_record_forged_inside_a_payload(self, journal, home):
        fill(journal, 1, 1)
        segment = next(home.glob("*.seg"))
        forged = segment.read_bytes()
        journal.append(forged, process=SENDER, sequence=2)
        journal.commit()
        fill(journal, 3, 3)
        with segment.open("r+b") as file:
            file.seek(len(forged) + 20)
            file.write(b"\xff")

        assert [1, 3] == [one.record_id for one in JournalReader(home).read()]
