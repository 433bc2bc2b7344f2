"""Starting on whatever is there, and what a failing disk may not make us forget."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from pathlib import Path

import pytest

from qmon_agent.domain.clock import HandClock
from qmon_agent.journal import (
    Journal,
    JournalFullError,
    JournalOptions,
    JournalReader,
    OsDisk,
)
from qmon_agent.journal.simulated import Fault, ProcessKilledError, SimulatedDisk

SENDER = b"s" * 16
SMALL = JournalOptions(segment_bytes=1000, reserve_bytes=0, emergency_bytes=0)
VIRTUAL = Path("/state/journal")


@pytest.fixture
def home(tmp_path):
    """A journal of forty records in many segments, closed."""
    home = tmp_path / "journal"
    journal = Journal.open(home, options=SMALL)
    send(journal, *range(1, 41))
    journal.cursors.save("store", journal.committed)
    journal.close()
    return home


def send(journal, *sequences):
    for sequence in sequences:
        if not journal.seen(SENDER, sequence):
            journal.append(bytes(100), process=SENDER, sequence=sequence)
        journal.commit()


def reopened(home, **options):
    journal = Journal.open(home, options=JournalOptions(**options) if options else SMALL)
    assert journal.wait_until_settled(10)
    return journal


def segments(home):
    return sorted(home.glob("*.seg"))


def kept(home):
    return [one.sequence for one in JournalReader(home).read()]


def replace_by_directory(path):
    path.unlink()
    path.mkdir()
    (path / "something").write_text("of somebody")


def replace_by_pipe(path):
    path.unlink()
    os.mkfifo(path)


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(os.urandom(5000)),
    "zeros": lambda path: path.write_bytes(bytes(5000)),
    "directory": replace_by_directory,
    "pipe": replace_by_pipe,
    "gone": Path.unlink,
    "dangling link": lambda path: (path.unlink(), path.symlink_to("/nowhere/at/all")),
}


class TestStart:
    @pytest.mark.parametrize("damage", DAMAGES)
    @pytest.mark.parametrize("which", ["*.seg", "*.idx", "dedup", "cursors/*", "lock"])
    def test_never_fails_whatever_a_file_became(self, home, damage, which):
        DAMAGES[damage](max(home.glob(which)))

        journal = reopened(home)
        send(journal, 99)

        assert 99 in kept(home)
        assert set(range(1, 36)) <= set(kept(home))
        journal.close()

    @pytest.mark.parametrize("folder", ["cursors", "dead", "quarantine"])
    def test_never_fails_for_a_file_where_a_folder_was(self, home, folder):
        shutil.rmtree(home / folder)
        (home / folder).write_text("not a folder")

        journal = reopened(home)
        send(journal, 99)
        journal.bury(b"x", "still works")

        assert (home / folder).is_dir()
        assert 99 in kept(home)
        journal.close()

    def test_never_fails_where_the_journal_itself_is_a_file(self, tmp_path):
        (tmp_path / "journal").write_text("not a journal")
        journal = reopened(tmp_path / "journal")
        send(journal, 1)
        assert [1] == kept(tmp_path / "journal")
        journal.close()

    def test_puts_garbage_into_quarantine_and_counts_it(self, home):
        segments(home)[-1].write_bytes(os.urandom(5000))
        journal = reopened(home)
        assert 1 == journal.vitals["quarantined"]
        assert 1 == len(list((home / "quarantine").iterdir()))
        journal.close()

    def test_does_not_use_an_id_again_that_a_reader_may_have_seen(self, home):
        segments(home)[-1].unlink()
        journal = reopened(home)
        assert journal.append(b"new", process=SENDER, sequence=99) > 40
        journal.close()

    def test_nor_one_that_was_damaged_at_the_end(self, home):
        last = segments(home)[-1]
        content = bytearray(last.read_bytes())
        content[-1] ^= 1
        last.write_bytes(content)
        (home / "cursors" / "store.cursor").unlink()

        journal = reopened(home)

        assert journal.append(b"new", process=SENDER, sequence=99) > 40
        assert (1, 156) == (journal.vitals["torn_tails"], journal.vitals["torn_bytes"])
        journal.close()

    def test_saves_no_checkpoint_that_pretends_to_know_what_is_still_unread(self, home):
        class PatientDisk(OsDisk):
            gate = threading.Event()

            def open(self, path, mode, /):
                if threading.current_thread().name == "qmon-journal-index":
                    self.gate.wait(10)
                return super().open(path, mode)

        for path in (*home.glob("*.idx"), home / "dedup"):
            path.unlink()
        unread = JournalOptions(open_scan_bytes=0, segment_bytes=1000, reserve_bytes=0)
        journal = Journal.open(home, options=unread, disk=PatientDisk())
        send(journal, *range(50, 80))
        assert not (home / "dedup").exists()
        PatientDisk.gate.set()
        journal.halt()

        journal = reopened(home)
        assert all(journal.seen(SENDER, n) for n in (*range(1, 41), *range(50, 80)))
        journal.close()

    def test_answers_before_old_segments_without_sidecars_are_read(self, home):
        for path in (*home.glob("*.idx"), home / "dedup"):
            path.unlink()

        journal = Journal.open(home, options=JournalOptions(open_scan_bytes=0, reserve_bytes=0))

        assert journal.wait_until_settled(10)
        assert all(journal.seen(SENDER, sequence) for sequence in range(1, 41))
        assert len(segments(home)) - 1 == len(list(home.glob("*.idx")))
        journal.close()

    def test_gives_the_oldest_place_for_a_damaged_cursor(self, home):
        (home / "cursors" / "store.cursor").write_bytes(b"damaged")
        journal = reopened(home)
        assert 40 == len(JournalReader(home, journal.cursors.load("store")).read())
        assert 1 == journal.vitals["damaged_cursors"]
        journal.close()

    def test_waits_for_a_folder_that_cannot_be_listed_and_refuses_meanwhile(self):
        disk = written(SimulatedDisk())
        disk.arm(Fault(kind="error", times=60))
        journal = Journal.open(VIRTUAL, options=SMALL, disk=disk, clock=HandClock())
        with pytest.raises(JournalFullError) as refusal:
            journal.append(b"x", process=SENDER, sequence=9)
        disk.disarm()

        assert "disk_error" == refusal.value.reason
        assert 6 == journal.append(b"x", process=SENDER, sequence=9)
        assert journal.seen(SENDER, 5)


class TestPermission:
    def test_refused_on_one_segment_costs_that_segment(self, home):
        first = segments(home)[0]

        class LockedDisk(OsDisk):
            def open(self, path, mode, /):
                if path == first and mode != "create":
                    raise PermissionError(errno.EACCES, "not yours", str(path))
                return super().open(path, mode)

        for path in (*home.glob("*.idx"), home / "dedup"):
            path.unlink()
        journal = Journal.open(home, options=SMALL, disk=LockedDisk())

        assert journal.wait_until_settled(10)
        assert 1 == journal.vitals["unreadable_segments"]
        assert not journal.seen(SENDER, 1)
        assert journal.seen(SENDER, 40)
        journal.close()


class TestFailedSync:
    def test_is_never_believed_after_a_restart(self):
        """The cache shows the record, the disk has not got it, and nobody is left who knows."""
        for seed in range(30):
            disk = written(SimulatedDisk(seed=seed))
            journal = opened(disk)
            journal.append(b"six", process=SENDER, sequence=6)
            disk.arm(Fault(kind="error"), after=2)  # free, write, then the sync
            disk.arm(Fault(kind="kill"))
            with pytest.raises(ProcessKilledError):
                journal.commit()
            assert ["error at sync", "kill at truncate"] == [t[: t.rindex(" ")] for t in disk.trace]

            journal = opened(disk)
            send(journal, 6)
            disk.cut_power()

            assert [1, 2, 3, 4, 5, 6] == stored(disk)

    def test_seals_the_segment_and_writes_the_records_again(self):
        disk = written(SimulatedDisk())
        journal = opened(disk)
        journal.append(b"six", process=SENDER, sequence=6)
        disk.arm(Fault(kind="error"), after=2)

        assert 6 == journal.commit().record_id

        assert 1 == journal.vitals["failed_syncs"]
        assert 2 == journal.committed.segment
        disk.cut_power()
        assert [1, 2, 3, 4, 5, 6] == stored(disk)


class TestMemoryOfWhatWasSeen:
    def test_outlives_a_trim_whose_checkpoint_could_not_be_written(self):
        disk = SimulatedDisk()
        journal = opened(disk)
        send(journal, *range(1, 30))
        journal.cursors.save("store", journal.committed)
        disk.put(VIRTUAL / "dedup.tmp" / "in the way", b"")  # so that no checkpoint is saved
        send(journal, *range(30, 60))
        journal.cursors.save("store", journal.committed)
        assert journal.trim().segments > 5
        journal.halt()

        disk.kill()
        journal = opened(disk)

        assert journal.vitals.get("checkpoint_errors", 0) == 0
        assert all(journal.seen(SENDER, sequence) for sequence in range(1, 60))

    @pytest.mark.parametrize("after", range(12))
    def test_outlives_a_disk_that_fails_five_times_in_a_row(self, after):
        disk = SimulatedDisk()
        journal = opened(disk)
        send(journal, *range(1, 30))
        journal.cursors.save("store", journal.committed)
        journal.trim(seal=True)
        assert not stored(disk)
        journal.halt()

        disk.kill()
        disk.arm(Fault(kind="error", times=5), after=after)
        journal = opened(disk)

        assert all(journal.seen(SENDER, sequence) for sequence in range(1, 30))


def opened(disk):
    journal = Journal.open(VIRTUAL, options=SMALL, disk=disk, clock=HandClock())
    assert journal.wait_until_settled(10)
    return journal


def written(disk):
    journal = opened(disk)
    send(journal, 1, 2, 3, 4, 5)
    journal.close()
    return disk


def stored(disk):
    disk.disarm()
    return [one.sequence for one in JournalReader(VIRTUAL, disk=disk).read()]
