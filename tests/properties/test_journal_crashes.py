"""Whatever the disk does, what `commit` has answered for is read back once and in order."""

from __future__ import annotations

import errno
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from qmon_agent.domain.clock import HandClock
from qmon_agent.journal import Journal, JournalFullError, JournalOptions, JournalReader
from qmon_agent.journal.simulated import Fault, ProcessKilledError, SimulatedDisk

HOME = Path("/state/journal")
PROCESSES = (b"a" * 16, b"b" * 16)
OPTIONS = JournalOptions(
    segment_bytes=700,
    segment_records=6,
    batch_bytes=400,
    memory_bytes=4000,
    reserve_bytes=0,
    emergency_bytes=64,
    max_bytes=1 << 30,
)
FAULTS = st.one_of(
    st.builds(
        Fault,
        kind=st.just("error"),
        errno=st.sampled_from([errno.EIO, errno.ENOSPC]),
        times=st.integers(1, 4),
    ),
    st.builds(Fault, kind=st.sampled_from(["short", "kill", "power"])),
)


class JournalOnABadDisk(RuleBasedStateMachine):
    """The oracle knows what was sent and what was answered for; the disk does its worst."""

    def __init__(self):
        super().__init__()
        self.disk = SimulatedDisk(seed=1)
        self.clock = HandClock()
        self.sent = {}
        self.appended = []
        self.acknowledged = {}
        self.trimmed = 0
        self.next = dict.fromkeys(PROCESSES, 1)
        self.journal = self.opened()

    def opened(self):
        self.appended = []
        journal = Journal.open(HOME, options=OPTIONS, disk=self.disk, clock=self.clock)
        assert journal.wait_until_settled(10)
        return journal

    def guarded(self, step):
        """Do it; when the simulated process dies of it, start again, as often as needed."""
        try:
            return step()
        except ProcessKilledError:
            self.journal.halt()
        self.journal = self.opened()
        return None

    @rule(process=st.sampled_from(PROCESSES), size=st.integers(0, 300))
    def send(self, process, size):
        sequence = self.next[process]
        self.next[process] += 1
        payload = bytes([sequence % 251]) * size
        self.sent[process, sequence] = payload
        self.deliver(process, sequence)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def send_again(self, data):
        """A sender that saw no answer repeats; so does one that is only impatient."""
        self.deliver(*data.draw(st.sampled_from(sorted(self.sent))))

    def deliver(self, process, sequence):
        waiting = {key for key, _ in self.appended}
        if (process, sequence) in waiting or self.journal.seen(process, sequence):
            return
        assert (process, sequence) not in self.acknowledged, "forgot what it answered for"
        try:
            payload = self.sent[process, sequence]
            record_id = self.journal.append(payload, process=process, sequence=sequence)
        except JournalFullError:
            return
        self.appended.append(((process, sequence), record_id))

    @rule()
    def commit(self):
        self.guarded(self.commit_and_note)

    @rule(fault=FAULTS, after=st.integers(0, 12))
    def commit_on_a_failing_disk(self, fault, after):
        self.disk.arm(fault, after=after)
        self.guarded(self.commit_and_note)
        self.disk.disarm()

    def commit_and_note(self):
        position = self.journal.commit()
        while self.appended and self.appended[0][1] <= position.record_id:
            key, record_id = self.appended.pop(0)
            self.acknowledged[key] = record_id

    @rule(fault=st.none() | FAULTS, after=st.integers(0, 60), power=st.booleans())
    def restart(self, fault, after, power):
        self.journal.halt()
        self.disk.cut_power() if power else self.disk.kill()
        if fault:
            self.disk.arm(fault, after=after)
        self.guarded(self.reopen)
        self.disk.disarm()

    def reopen(self):
        self.journal = self.opened()

    @rule(fault=st.none() | FAULTS, after=st.integers(0, 30), share=st.floats(0, 1))
    def read_and_trim(self, fault, after, share):
        reader = JournalReader(HOME, self.journal.cursors.load("r"), disk=self.disk)
        records = reader.read(until=self.journal.committed.record_id, max_bytes=10_000)
        if fault:
            self.disk.arm(fault, after=after)
        self.guarded(lambda: self.trim_behind(records[: round(len(records) * share)]))
        self.disk.disarm()

    def trim_behind(self, records):
        if records:
            self.trimmed = max(self.trimmed, records[-1].record_id)
            try:
                self.journal.cursors.save("r", records[-1].position)
            except OSError:
                return
        self.journal.trim()

    @invariant()
    def what_was_answered_for_is_there_once_and_in_order(self):
        self.disk.disarm()
        reader = JournalReader(HOME, disk=self.disk)
        records = reader.read(max_bytes=1 << 30)
        ids = [record.record_id for record in records]
        keys = [(record.process, record.sequence) for record in records]
        assert ids == sorted(set(ids))
        assert len(keys) == len(set(keys)), "stored twice"
        assert all(self.sent[key] == one.payload for key, one in zip(keys, records, strict=True))
        due = {key: n for key, n in self.acknowledged.items() if n > self.trimmed}
        assert due.items() <= dict(zip(keys, ids, strict=True)).items()

    @invariant()
    def what_was_answered_for_is_known_for_ever(self):
        assert all(self.journal.seen(*key) for key in self.acknowledged)

    def teardown(self):
        self.journal.halt()


TestJournalOnABadDisk = JournalOnABadDisk.TestCase
TestJournalOnABadDisk.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
