"""A disk that does not read for a while: nobody forgets a place, or passes over anything."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from qmon_agent.app.walk import Walk
from qmon_agent.domain.clock import HandClock
from qmon_agent.forward.forwarder import Forwarder, Supply
from qmon_agent.forward.pace import Pace
from qmon_agent.forward.sinks import DELIVERED
from qmon_agent.journal import START, Journal, JournalOptions, JournalReader, OsDisk
from qmon_agent.journal.simulated import Fault, SimulatedDisk
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, encode_frame
from qmon_sdk.protocol.signals import Span

SENDER = b"s" * 16
SMALL = JournalOptions(segment_bytes=1000, reserve_bytes=0, emergency_bytes=0)
PATIENT = JournalOptions(segment_bytes=1000, reserve_bytes=0, emergency_bytes=0, patience_s=30.0)
VIRTUAL = Path("/state/journal")


class Ailing(OsDisk):
    """On which one call does not do until it is well."""

    def __init__(self, call):
        self.call = call

    def open(self, path, mode, /):
        self._strike("open")
        file = super().open(path, mode)
        asked = file.read_at
        file.read_at = lambda size, offset: self._strike("read") or asked(size, offset)
        return file

    def list(self, directory, /):
        self._strike("list")
        return super().list(directory)

    def unlink(self, path, /):
        self._strike("unlink")
        super().unlink(path)

    def _strike(self, call):
        if call == self.call:
            raise OSError(errno.EIO, "Input/output error")


@pytest.fixture
def home(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def journal(home):
    journal = Journal.open(home, options=SMALL)
    yield journal
    journal.close()


def fill(journal, first, last):
    for sequence in range(first, last + 1):
        spans = [Span(time=1, name=f"span-{sequence}")]
        frame = Frame(process=SENDER, sequence=sequence, blocks=blocks_of(spans))
        journal.append(encode_frame(frame), process=SENDER, sequence=sequence)
        journal.commit()


async def until(is_so):
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.01)


class TestJournal:
    @pytest.mark.parametrize("after", range(0, 24, 3))
    def test_opens_with_all_it_knew_as_soon_as_the_disk_reads(self, after):
        disk = SimulatedDisk()
        journal = Journal.open(VIRTUAL, options=SMALL, disk=disk, clock=HandClock())
        fill(journal, 1, 30)
        journal.cursors.save("sink.file", journal.committed)
        place = journal.committed
        journal.halt()

        disk.kill()
        disk.arm(Fault(kind="error", times=30), after=after)
        journal = Journal.open(VIRTUAL, options=PATIENT, disk=disk, clock=HandClock())

        assert journal.wait_until_settled(20)
        assert all(journal.seen(SENDER, sequence) for sequence in range(1, 31))
        assert (place, place) == (journal.cursors.load("sink.file"), journal.committed)
        journal.close()


class TestJournalReader:
    @pytest.mark.parametrize("call", ["open", "read"])
    def test_says_that_it_waits_and_passes_over_nothing(self, journal, home, call):
        fill(journal, 1, 30)
        disk = Ailing(call)
        reader = JournalReader(home, disk=disk, patience_s=60.0)
        assert ([], True) == (reader.read(), reader.waits)

        disk.call = ""

        assert [*range(1, 31)] == [each.sequence for each in reader.read()]
        assert (False, 0, 0) == (reader.waits, reader.missed, reader.unreadable_segments)

    def test_passes_over_at_once_what_no_patience_will_mend(self, journal, home):
        fill(journal, 1, 30)
        first = min(home.glob("*.seg"))
        first.unlink()
        first.mkdir()

        reader = JournalReader(home, patience_s=60.0)

        assert reader.read()
        assert (False, 1) == (reader.waits, reader.unreadable_segments)


class TestDeadLetters:
    @pytest.mark.parametrize("call", ["read", "unlink"])
    def test_are_not_said_to_be_forgotten_where_the_disk_did_not_do_it(self, home, call):
        disk = Ailing("")
        journal = Journal.open(home, options=SMALL, disk=disk)
        for word in (b"ann", b"bob", b"ann again"):
            journal.bury(word, "undecodable")

        disk.call = call
        with pytest.raises(OSError, match="dead letters that cannot be"):
            journal.forget_dead_letters(b"ann")
        disk.call = ""

        assert 2 == journal.forget_dead_letters(b"ann")
        assert {b"bob"} == {letter.payload for letter in journal.dead_letters()}
        journal.close()


class TestWalk:
    @pytest.mark.parametrize("call", ["open", "read", "list"])
    async def test_waits_for_the_disk_and_judges_every_record_once(self, journal, home, call):
        fill(journal, 1, 30)
        disk, judged, vitals = Ailing(call), [], Vitals()
        walk = Walk(
            lambda records: judged.extend(each.sequence for each in records),
            open_reader=lambda place: JournalReader(home, place, disk=disk, patience_s=60.0),
            start=START,
            vitals=vitals,
        )
        walk.start(journal.committed)
        await until(lambda: walk.waits_for)

        disk.call = ""
        await walk.drain()

        assert [*range(1, 31)] == judged
        assert ("", 0) == (walk.waits_for, vitals.count("walk_records_missed"))
        await walk.stop()

    async def test_steps_over_no_record_that_came_after_it_asked(self, journal, home):
        """The memory is too small for all that was committed while the journal was read."""
        fill(journal, 1, 3)
        judged = []

        class Forgetful(JournalReader):
            def read(self, until=None, max_bytes=1 << 20):
                if until == 3:
                    fill(journal, 4, 9)
                    newest = JournalReader(home).read()[-1:]
                    walk.committed(journal.committed, newest)
                    return []
                return super().read(until, max_bytes)

        walk = Walk(
            lambda records: judged.extend(each.sequence for each in records),
            open_reader=lambda place: Forgetful(home, place),
            start=START,
            vitals=Vitals(),
        )
        walk.start(journal.committed)
        await walk.drain()

        assert [*range(4, 10)] == judged
        await walk.stop()


class Keeping:
    """A sink that keeps the ids of its batches, and what was in them."""

    def __init__(self):
        self.batches = []

    def send(self, batch):
        self.batches.append((batch.id, [frame.sequence for frame in batch.frames]))
        return DELIVERED

    def close(self):
        pass

    def describe(self):
        return {}


class TestForwarder:
    async def test_waits_for_a_journal_that_cannot_be_read_and_says_so(self, journal, home):
        sink = Keeping()
        away = home.with_name("away")
        fill(journal, 1, 30)
        home.rename(away)
        forwarder, task = forwarding(journal, home, sink)
        await until(lambda: forwarder.problem)
        said = forwarder.problem

        away.rename(home)
        await until(lambda: not forwarder.lag)

        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert "30 records wait: the journal cannot be read" in said
        assert [*range(1, 31)] == [number for _, numbers in sink.batches for number in numbers]
        assert "" == forwarder.problem


def forwarding(journal, home, sink):
    supply = Supply(journal=journal, directory=home, bury=never, vitals=Vitals())
    forwarder = Forwarder("kept", sink, supply=supply, pace=Pace(wait_s=0.01))
    return forwarder, asyncio.create_task(forwarder.run())


async def never(payload, reason):
    pytest.fail(reason)
