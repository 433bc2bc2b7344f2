"""A full disk: take into memory within a bound, refuse beyond it, go on by itself."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from qmon_agent.domain.clock import HandClock
from qmon_agent.journal import (
    GroupCommitter,
    Journal,
    JournalFullError,
    JournalOptions,
    JournalReader,
)
from qmon_agent.journal.simulated import Fault, SimulatedDisk

SENDER = b"s" * 16
HOME = Path("/state/journal")
OPTIONS = JournalOptions(
    segment_bytes=2000, memory_bytes=3000, reserve_bytes=0, emergency_bytes=500, batch_bytes=600
)
MIB = 1024 * 1024


def send(journal, *sequences, size=200):
    for sequence in sequences:
        journal.append(bytes(size), process=SENDER, sequence=sequence)
    return journal.commit().record_id


def opened(disk, options=OPTIONS):
    return Journal.open(HOME, options=options, disk=disk, clock=HandClock())


def kept(disk):
    return [one.sequence for one in JournalReader(HOME, disk=disk).read(max_bytes=MIB)]


class TestFullDisk:
    def test_keeps_what_was_taken_in_memory_and_writes_it_later(self):
        disk = SimulatedDisk(capacity=3000)
        journal = opened(disk)
        last = send(journal, *range(1, 12))
        assert ("disk_full", last < 11) == (journal.trouble, True)

        disk.capacity = 1 << 30

        assert 11 == journal.commit().record_id
        assert "" == journal.trouble
        assert list(range(1, 12)) == kept(disk)

    def test_does_not_mislead_a_reader_by_what_was_half_written(self):
        disk = SimulatedDisk()
        journal = opened(disk)
        send(journal, 1)
        reader = JournalReader(HOME, disk=disk)
        disk.arm(Fault(kind="short"), after=1)
        disk.arm(Fault(kind="error", times=2))  # the rest of the write, and cutting it off
        send(journal, 2, 3)
        assert [1] == [one.sequence for one in reader.read(until=1)]
        assert ["short", "error", "error"] == [line.split()[0] for line in disk.trace]

        journal.commit()

        assert [2, 3] == [one.sequence for one in reader.read(until=3)]
        assert (0, 0) == (reader.missed, reader.skipped_bytes)

    def test_refuses_beyond_the_bound_of_memory(self):
        journal = opened(SimulatedDisk(capacity=1500))
        send(journal, *range(1, 12))
        with pytest.raises(JournalFullError) as refusal:
            send(journal, *range(12, 99))
        assert "disk_full" == refusal.value.reason
        assert journal.pending_bytes <= OPTIONS.memory_bytes

    def test_gives_up_the_reserve_file_so_that_cursors_can_be_saved(self):
        disk = SimulatedDisk(capacity=3000)
        journal = opened(disk)
        assert 500 == len(disk.files()[HOME / "reserve"])
        send(journal, *range(1, 12))

        assert HOME / "reserve" not in disk.files()
        journal.cursors.save("store", journal.committed)

    def test_takes_the_reserve_back_when_there_is_room(self):
        disk = SimulatedDisk(capacity=3000)
        journal = opened(disk)
        send(journal, *range(1, 12))
        disk.capacity = 1 << 30
        journal.commit()
        journal.trim()
        assert HOME / "reserve" in disk.files()

    def test_leaves_the_others_their_share(self):
        options = JournalOptions(reserve_bytes=5000, emergency_bytes=0)
        disk = SimulatedDisk(capacity=8000)
        journal = opened(disk, options)
        for sequence in range(1, 40):
            send(journal, sequence)
        assert "disk_full" == journal.trouble
        assert disk.free(HOME) >= 5000

    def test_an_error_of_the_disk_is_told_from_a_full_one(self):
        disk = SimulatedDisk()
        journal = opened(disk)
        disk.arm(Fault(kind="error", errno=errno.EIO, times=9))
        send(journal, 1)
        assert "disk_error" == journal.trouble

        disk.disarm()

        assert 1 == journal.commit().record_id


class TestGroupCommitterOnAFullDisk:
    async def test_answers_late_or_refuses_and_never_lies(self):
        disk = SimulatedDisk(capacity=2500)
        journal = opened(disk)
        committer = GroupCommitter(journal)
        futures = [committer.submit(bytes(200), SENDER, n) for n in range(1, 30)]
        refused = [future for future in futures if future.done()]
        assert refused
        assert {"refused"} == {future.result().outcome for future in refused}

        disk.capacity = 1 << 30

        results = [await future for future in futures]
        stored = [n for n, one in enumerate(results, 1) if one.outcome == "stored"]
        assert stored == kept(disk)
        await committer.close()
        journal.close()


@pytest.fixture
def small_disk(tmp_path, missing):
    """A file system of two megabytes."""
    if os.geteuid() != 0:
        missing("root, to mount a small tmpfs")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        missing(f"the right to mount a tmpfs ({done.stderr.strip()})")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


class TestARealFullDisk:
    def test_loses_nothing_acknowledged_and_goes_on(self, small_disk):
        options = JournalOptions(
            segment_bytes=MIB // 2, reserve_bytes=0, emergency_bytes=MIB // 4, batch_bytes=MIB // 8
        )
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(MIB))
        journal = Journal.open(small_disk / "journal", options=options)
        last = send(journal, *range(1, 41), size=50_000)
        assert ("disk_full", True) == (journal.trouble, 0 < last < 40)
        assert list(range(1, last + 1)) == _all_of(small_disk, until=last)

        ballast.unlink()
        journal.cursors.save("store", journal.committed)
        journal.trim()

        assert last < journal.commit().record_id
        journal.halt()
        again = Journal.open(small_disk / "journal", options=options)
        assert all(again.seen(SENDER, n) for n in range(1, journal.committed.record_id + 1))
        again.halt()


def _all_of(small_disk, *, until):
    reader = JournalReader(small_disk / "journal")
    ids = [record.record_id for record in reader.read(until=until, max_bytes=64 * MIB)]
    reader.close()
    return ids
