"""The worker is killed while it sends: every commit is in the store exactly once."""

import asyncio
import os
import random
import signal

import pytest

from qmon_agent.domain.clock import SystemClock
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.store.telemetry import TelemetryOptions, TelemetryStore
from qmon_agent.store.telemetry.options import Batching
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, encode_frame
from qmon_sdk.protocol.signals import Span
from tests.clickhouse.conftest import chdb_in

KILLS, ROWS = 5, 50
COUNT = "SELECT count(), uniqExact(process, span_id) FROM spans"
TIERS = [f"(SELECT sum(requests) FROM spans_{tier}_parts)" for tier in ("1m", "1h", "1d")]
ROLLED = f"SELECT {', '.join(TIERS)}"


class Load:
    """A journal that is written, and a store of its own that follows it."""

    def __init__(self, directory, options=""):
        self.sequence = 0
        self.journal = Journal.open(
            directory / "journal", options=JournalOptions(), clock=SystemClock()
        )
        self.store = TelemetryStore(
            TelemetryOptions(
                directory=str(directory / "telemetry"),
                journal=str(directory / "journal"),
                address=chdb_in(directory, options),
                batching=Batching(interval_s=0.01, max_bytes=16 << 10),
                restart_waits_s=(0.05,),
            )
        )

    def write(self, *more):
        self.sequence += 1
        spans = [Span(time=self.sequence * 10**9, span_id=f"{n:016x}") for n in range(ROWS)]
        process = self.sequence.to_bytes(16, "big")
        frame = Frame(process=process, sequence=self.sequence, blocks=blocks_of([*spans, *more]))
        self.journal.append(encode_frame(frame), process=process, sequence=self.sequence)
        self.store.committed(self.journal.commit())

    async def write_for(self, seconds):
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            self.write()
            await asyncio.sleep(0.01)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("options", ["", "?async=yes"])
async def test_every_commit_is_stored_once(tmp_path, missing, options):
    pytest.importorskip("chdb")
    load, chance = Load(tmp_path, options), random.Random(7)
    await load.store.start()
    for _ in range(KILLS):
        await load.store.caught_up(load.sequence, timeout_s=30)
        await load.write_for(chance.uniform(0.1, 0.8))
        os.kill(load.store._worker.pid, signal.SIGKILL)
    assert await load.store.caught_up(load.sequence, timeout_s=60)
    rows = (await load.store.query(COUNT)).rows
    rolled = (await load.store.query(ROLLED)).rows
    status = await load.store.status()
    await load.store.stop()
    load.journal.close()

    assert [[load.sequence * ROWS] * 2] == rows
    assert [[load.sequence * ROWS] * 3] == rolled
    assert status.restarts >= KILLS
