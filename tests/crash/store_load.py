"""A store under load, whose worker is killed."""

import asyncio
import os
import signal

import pytest

from qmon_agent.domain.clock import SystemClock
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.store.telemetry import Listeners, TelemetryOptions, TelemetryStore
from qmon_agent.store.telemetry.options import Batching, Exporting
from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import Frame, encode_frame
from qmon_sdk.protocol.signals import Span

ROWS = 200


class Load:
    """Writes frames of spans for as long as it is told to, and says what was committed."""

    pause_s = 0.008
    lives_s = (0.0, 1.2)

    def __init__(self, directory, **more):
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
                **{"exporting": Exporting(rows=10_000), **more},
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
        self._commit((self.block.replace(columns=tuple(columns)),))

    def put(self, blocks):
        """One frame of these."""
        self.sequence += 1
        self._commit(blocks)

    def _commit(self, blocks):
        frame = Frame(
            process=self.sequence.to_bytes(16, "big"), sequence=self.sequence, blocks=blocks
        )
        self.journal.append(encode_frame(frame), process=frame.process, sequence=self.sequence)
        self.store.committed(self.journal.commit())

    async def run(self, stop):
        while not stop.is_set():
            self.write()
            await asyncio.sleep(self.pause_s)

    async def kill(self, chance):
        """At a random moment of the worker's life, its very beginning and its exports included."""
        await asyncio.sleep(chance.uniform(*self.lives_s))
        worker = self.store._worker
        if worker is None:
            return 0
        os.kill(worker.pid, signal.SIGKILL)
        while self.store._worker is worker:  # a question put to it now would be lost with it
            await asyncio.sleep(0.001)
        return 1
