"""The store worker is killed while it exports and rolls up: each row is in each tier once."""

import asyncio
import os
import random
import signal

import pytest

from qmon_agent.domain.clock import SystemClock
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.store.telemetry import Listeners, TelemetryOptions, TelemetryStore
from qmon_agent.store.telemetry.options import Batching, Exporting, Rolling
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, encode_frame
from qmon_sdk.protocol.signals import Point, Span

KILLS, ROWS, HOUR = 15, 200, 3_600 * 10**9
TIERS = ("1m", "1h", "1d")
SPANS = "select sum(requests), sum(duration_ns) from spans_{}"
POINTS = "select sum(points), sum(sum) from points_{}"


class Load:
    """Frames of spans and points over many minutes, and a store that exports and rolls up often."""

    def __init__(self, directory):
        self.journal = Journal.open(
            directory / "journal", options=JournalOptions(), clock=SystemClock()
        )
        self.sequence = 0
        self.options = TelemetryOptions(
            directory=str(directory / "telemetry"),
            journal=str(directory / "journal"),
            batching=Batching(interval_s=0.01, max_bytes=64 << 10),
            restart_waits_s=(0.05,),
            exporting=Exporting(rows=5_000),
            rolling=Rolling(share=1.0),
        )
        self.store = TelemetryStore(
            self.options,
            listeners=Listeners(buried=lambda *_: pytest.fail("buried")),
        )

    def write(self):
        self.sequence += 1
        times = [(self.sequence % 40) * HOUR + n * 10**9 for n in range(ROWS)]
        signals = [Span(time=time, name="n", duration_ns=self.sequence) for time in times]
        signals += [Point(time=time, metric="m", value=float(self.sequence)) for time in times]
        frame = Frame(process=bytes(16), sequence=self.sequence, blocks=blocks_of(signals))
        self.journal.append(encode_frame(frame), process=frame.process, sequence=self.sequence)
        self.store.committed(self.journal.commit())

    async def run(self, stop):
        while not stop.is_set():
            self.write()
            await asyncio.sleep(0.03)

    async def kill(self, chance):
        await asyncio.sleep(chance.uniform(0.3, 1.5))
        worker = self.store._worker
        if worker is not None:
            os.kill(worker.pid, signal.SIGKILL)
            return 1
        return 0

    async def check(self):
        whole = ROWS * self.sequence * (self.sequence + 1) // 2
        for tier in TIERS:
            for question in (SPANS, POINTS):
                found = (await self.store.query(question.format(tier))).rows
                assert found == [[ROWS * self.sequence, whole]], (tier, question)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", [20261127])
async def test_every_row_is_rolled_up_once(tmp_path, seed):
    load, chance, stop, kills = Load(tmp_path), random.Random(seed), asyncio.Event(), 0
    await load.store.start()
    writing = asyncio.create_task(load.run(stop))
    while kills < KILLS:
        kills += await load.kill(chance)
    stop.set()
    await writing

    assert await load.store.caught_up(load.sequence, timeout_s=100)
    await load.check()
    for _ in range(200):
        if (await load.store.status()).counts.get("rolled_segments"):
            break
        await asyncio.sleep(0.2)
    await load.check()
    assert (await load.store.status()).counts["rolled_segments"] > 0
    await load.store.stop()
    load.journal.close()
