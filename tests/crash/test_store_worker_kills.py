"""The store worker is killed at random moments, under load: every commit is stored exactly once."""

import asyncio
import os
import random
import signal

import pytest

from qmon_agent.domain.clock import SystemClock
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.store.telemetry import Listeners, TelemetryOptions, TelemetryStore
from qmon_agent.store.telemetry.options import Batching, Exporting
from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import Frame, encode_frame
from qmon_sdk.protocol.signals import Span

KILLS, ROWS = 50, 200
# Each frame is of a process of its own, which is told of once, and not by every generation.
SPOKE = "select count(*), count(distinct process) from resources"
COUNT = "select count(*), count(distinct hash(process, span_id)) from spans"
RANGE = "select min(n), max(n), count(distinct n) from (select duration_ns as n from spans)"


class Load:
    """Writes frames of spans for as long as it is told to, and says what was committed."""

    def __init__(self, directory):
        self.journal = Journal.open(
            directory / "journal", options=JournalOptions(), clock=SystemClock()
        )
        self.exported, self.sequence = 0, 0
        self.store = TelemetryStore(
            TelemetryOptions(
                directory=str(directory / "telemetry"),
                journal=str(directory / "journal"),
                batching=Batching(interval_s=0.01, max_bytes=64 << 10),
                restart_waits_s=(0.05,),
                exporting=Exporting(rows=10_000),
            ),
            listeners=Listeners(exported=self.remember, buried=lambda *_: pytest.fail("buried")),
        )
        self.block = block_of("span", [Span(time=1, span_id=f"{n:016x}") for n in range(ROWS)])

    def remember(self, place):
        assert place.record_id >= self.exported  # what was safe stays safe
        self.exported = place.record_id

    def write(self):
        """One frame, told apart from the others by its process and its duration."""
        self.sequence += 1
        columns = list(self.block.columns)
        columns[6] = self.sequence
        frame = Frame(
            process=self.sequence.to_bytes(16, "big"),
            sequence=self.sequence,
            blocks=(self.block.replace(columns=tuple(columns)),),
        )
        self.journal.append(encode_frame(frame), process=frame.process, sequence=self.sequence)
        self.store.committed(self.journal.commit())

    async def run(self, stop):
        while not stop.is_set():
            self.write()
            await asyncio.sleep(0.008)

    async def kill(self, chance):
        """At a random moment of the worker's life, its very beginning and its exports included."""
        await asyncio.sleep(chance.uniform(0.0, 1.2))
        worker = self.store._worker
        if worker is not None:
            os.kill(worker.pid, signal.SIGKILL)
            return 1
        return 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [20261123])
async def test_nothing_is_lost_or_doubled(tmp_path, seed):
    load, chance, stop, kills = Load(tmp_path), random.Random(seed), asyncio.Event(), 0
    await load.store.start()
    writing = asyncio.create_task(load.run(stop))
    while kills < KILLS:
        kills += await load.kill(chance)
    stop.set()
    await writing

    assert await load.store.caught_up(load.sequence, timeout_s=150)
    rows = load.sequence * ROWS
    assert (await load.store.query(COUNT)).rows == [[rows, rows]]
    assert (await load.store.query(RANGE)).rows == [[1, load.sequence, load.sequence]]
    assert (await load.store.query(SPOKE)).rows == [[load.sequence, load.sequence]]
    assert (await load.store.status()).rows["resources"] == load.sequence
    assert load.exported > 0
    await load.store.stop()
    load.journal.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_lost_or_doubled_when_killed_in_an_export(tmp_path, seed):
    load, chance = Load(tmp_path), random.Random(seed)
    await load.store.start()
    for _ in range(5):
        for _ in range(40):
            load.write()
        await load.store.caught_up(load.sequence, timeout_s=30)
        exporting = asyncio.create_task(load.store.export())
        await asyncio.sleep(chance.uniform(0.0, 0.15))
        if load.store._worker is not None:
            os.kill(load.store._worker.pid, signal.SIGKILL)
        await asyncio.gather(exporting, return_exceptions=True)

    load.write()
    assert await load.store.caught_up(load.sequence, timeout_s=30)
    rows = load.sequence * ROWS
    assert (await load.store.query(COUNT)).rows == [[rows, rows]]
    await load.store.stop()
    load.journal.close()
