"""Damage of every kind at every place: start never fails, the rest is there, it is counted."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.clock import HandClock
from qmon_agent.journal import Journal, JournalOptions, JournalReader
from qmon_agent.journal.dedup import Intervals
from qmon_agent.journal.simulated import Fault, ProcessKilledError, SimulatedDisk

HOME = Path("/state/journal")
SENDER = b"s" * 16
SMALL = JournalOptions(
    segment_bytes=250, reserve_bytes=0, emergency_bytes=16, memory_bytes=4096, batch_bytes=200
)
FAULTS = {
    "EIO": Fault(kind="error", errno=errno.EIO),
    "ENOSPC": Fault(kind="error", errno=errno.ENOSPC),
    "EIO for long": Fault(kind="error", errno=errno.EIO, times=6),
    "short": Fault(kind="short"),
    "kill": Fault(kind="kill"),
    "power cut": Fault(kind="power"),
}


ALL = [1, 2, 3, 4, 5]


def opened(disk):
    journal = Journal.open(HOME, options=SMALL, disk=disk, clock=HandClock())
    assert journal.wait_until_settled(10)
    return journal


def write(journal, *sequences):
    """Append, commit, and answer which of them are acknowledged."""
    ids = {}
    for sequence in sequences:
        if not journal.seen(SENDER, sequence):
            payload = bytes([sequence]) * 20
            ids[sequence] = journal.append(payload, process=SENDER, sequence=sequence)
    last = journal.commit().record_id
    return {sequence for sequence in sequences if ids.get(sequence, 0) <= last}


def kept(disk):
    return [one.sequence for one in JournalReader(HOME, disk=disk).read(max_bytes=1 << 20)]


def a_small_journal():
    """Five records in two segments, with a cursor, a dead letter and everything else."""
    disk = SimulatedDisk()
    journal = opened(disk)
    for sequence in ALL:
        write(journal, sequence)
    journal.cursors.save("store", JournalReader(HOME, disk=disk).read(until=2)[-1].position)
    journal.bury(b"nonsense", "undecodable")
    journal.close()
    return disk.files()


def disk_with(files):
    disk = SimulatedDisk()
    for path, content in files.items():
        disk.put(path, content)
    return disk


FILES = a_small_journal()
SEGMENTS = sorted(path for path in FILES if path.parent == HOME and path.suffix == ".seg")
BARE = {path: FILES[path] for path in FILES if path.suffix != ".idx" and path.name != "dedup"}
OTHERS = sorted(set(FILES) - set(SEGMENTS) - {HOME / "reserve", HOME / "lock"})


class TestCutAtEveryByte:
    def test_of_the_last_segment_keeps_all_that_is_whole(self):
        last = SEGMENTS[-1]
        for size in range(len(FILES[last])):
            disk = disk_with({**FILES, last: FILES[last][:size]})
            journal = opened(disk)
            whole = size // (len(FILES[last]) // 2)
            assert kept(disk) == ALL[: 3 + whole]
            torn = size % (len(FILES[last]) // 2)
            assert journal.vitals.get("torn_bytes", 0) == torn

    def test_it_takes_new_records_behind_the_cut(self):
        last = SEGMENTS[-1]
        for size in range(0, len(FILES[last]), 3):
            disk = disk_with({**FILES, last: FILES[last][:size]})
            journal = opened(disk)
            assert write(journal, 9) == {9}
            assert kept(disk)[-1] == 9

    def test_of_the_first_segment_costs_that_segment_only(self):
        first = SEGMENTS[0]
        for size in range(0, len(FILES[first]), 3):
            disk = disk_with({**FILES, first: FILES[first][:size]})
            opened(disk)
            assert kept(disk)[-2:] == [4, 5]


class TestFlippedBits:
    def test_cost_the_record_they_are_in_and_are_counted(self):
        for path in SEGMENTS:
            size = len(FILES[path])
            for bit in range(size * 8):
                disk = disk_with({**FILES, path: flipped(FILES[path], bit)})
                journal = opened(disk)
                reader = JournalReader(HOME, disk=disk)
                sequences = [one.sequence for one in reader.read(max_bytes=1 << 20)]
                assert len(sequences) == 4
                assert sequences == sorted(sequences)
                assert 1 == reader.missed or journal.vitals["torn_tails"]

    def test_in_any_other_file_cost_no_record_and_no_start(self):
        for path in OTHERS:
            for bit in range(len(FILES[path]) * 8):
                disk = disk_with({**FILES, path: flipped(FILES[path], bit)})
                journal = opened(disk)
                assert kept(disk) == ALL
                assert all(journal.seen(SENDER, sequence) for sequence in ALL)
                assert path.parent.name == "dead" or damage_of(journal)

    @given(st.sampled_from(SEGMENTS), st.binary(max_size=400))
    def test_or_garbage_for_a_whole_segment_cost_only_that(self, path, garbage):
        disk = disk_with({**FILES, path: garbage})
        journal = opened(disk)
        assert kept(disk) == (ALL[3:] if path == SEGMENTS[0] else ALL[:3])
        assert write(journal, 99) == {99}


class TestFaultAtEveryOperation:
    @pytest.mark.parametrize("kind", FAULTS)
    def test_of_writing_loses_and_doubles_nothing_acknowledged(self, kind):
        for after in range(operations(whole_life)):
            disk = SimulatedDisk(seed=after)
            acknowledged = set()
            disk.arm(FAULTS[kind], after=after)
            try:
                whole_life(disk, acknowledged)
            except ProcessKilledError:
                pass
            disk.disarm()
            assert_kept_once(disk, acknowledged)

    @pytest.mark.parametrize("files", [FILES, BARE], ids=["whole", "without sidecars"])
    @pytest.mark.parametrize("kind", FAULTS)
    def test_of_starting_is_survived(self, kind, files):
        for after in range(operations(opened, files)):
            disk = disk_with(files)
            disk.arm(FAULTS[kind], after=after)
            try:
                opened(disk).halt()
            except ProcessKilledError:
                pass
            disk.disarm()
            assert_kept_once(disk, set(ALL))


class TestIntervals:
    @given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 6))))
    def test_hold_what_a_set_would(self, pairs):
        intervals, plain = Intervals(), set()
        for first, more in pairs:
            intervals.add(first, first + more)
            plain |= set(range(first, first + more + 1))
        assert {n for n in range(80) if n in intervals} == plain
        ends = [bound for pair in intervals for bound in pair]
        assert ends == sorted(ends)
        assert all(b - a > 1 for a, b in zip(ends[1::2], ends[2::2], strict=False))


def whole_life(disk, acknowledged):
    """Open, write over three segments, move a cursor, trim, start again, write."""
    journal = opened(disk)
    for sequence in range(1, 9):
        acknowledged |= write(journal, sequence)
    journal.bury(b"nonsense", "undecodable")
    journal.close()
    journal = opened(disk)
    acknowledged |= write(journal, *range(1, 12))
    journal.close()


def operations(life, files=None):
    disk = disk_with(files or {})
    disk.watch()
    if files:
        life(disk).close()
    else:
        life(disk, set())
    return disk.operations


def assert_kept_once(disk, acknowledged):
    disk.kill()
    journal = opened(disk)
    sequences = kept(disk)
    assert len(sequences) == len(set(sequences))
    assert acknowledged <= set(sequences)
    assert all(journal.seen(SENDER, sequence) for sequence in acknowledged)
    assert write(journal, 50) == {50}
    journal.halt()


def flipped(content, bit):
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def damage_of(journal):
    vitals = journal.vitals
    return vitals.get("damaged_files", 0) + vitals.get("damaged_cursors", 0)
