"""The telemetry store against what may happen to it; `QMON_STORE_KILLS=50` for the long run."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qmon_agent.domain.clock import SystemClock
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry import manifest as manifests
from qmon_agent.store.telemetry.engine import Question, open_engine
from qmon_agent.store.telemetry.following import Follower
from qmon_agent.store.telemetry.watch import Watch
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, encode_frame
from qmon_sdk.protocol.signals import Span

KILLS = int(os.environ.get("QMON_STORE_KILLS", "8"))
EXPORTS, ROWS = 12, 500
COUNT = "select count(*), count(distinct span_id), sum(duration_ns)::bigint from spans"

JOINS = """
import sys, time
from pathlib import Path
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry.engine import open_engine
from qmon_agent.store.telemetry.options import Joining

home = Path(sys.argv[1])
joining = Joining(rows=3_000, interval_s=0.0, share=1.0)
engine = open_engine(TelemetryOptions(
    directory=str(home / "telemetry"), journal=str(home / "journal"), joining=joining))
print("open", flush=True)
while True:
    engine.tend(now=time.time_ns() + 2 * 86_400 * 10**9)
    time.sleep(0.001)
"""


def options_of(home: Path) -> TelemetryOptions:
    return TelemetryOptions(directory=str(home / "telemetry"), journal=str(home / "journal"))


def filled(home: Path) -> None:
    """A store of many small segments, all of one past day."""
    journal = Journal.open(home / "journal", options=JournalOptions(), clock=SystemClock())
    engine = open_engine(options_of(home))
    follower = Follower(home / "journal", engine, bury=lambda *_: pytest.fail("buried"))
    for number in range(1, EXPORTS + 1):
        rows = [Span(time=n, span_id=f"{number}-{n}", duration_ns=n) for n in range(ROWS)]
        frame = Frame(process=bytes(16), sequence=number, blocks=blocks_of(rows))
        journal.append(encode_frame(frame), process=bytes(16), sequence=number)
        follower.follow(journal.commit(), max_bytes=1 << 20)
        engine.tend(now=time.time_ns(), everything=True)
        while engine.busy():
            time.sleep(0.005)
    follower.close()
    engine.close()
    journal.close()


def answer(home: Path):
    engine = open_engine(options_of(home))
    try:
        return engine.ask(Question(sql=COUNT, limit=9, timeout_s=30), Watch()).rows
    finally:
        engine.close()


class TestKilledWhileItJoins:
    @pytest.mark.timeout(600)
    def test_loses_and_doubles_nothing(self, tmp_path):
        filled(tmp_path)
        chance, segments = random.Random(6), []
        for kill in range(KILLS):
            worker = subprocess.Popen(
                [sys.executable, "-c", JOINS, str(tmp_path)], stdout=subprocess.PIPE
            )
            worker.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.25))
            worker.send_signal(signal.SIGKILL)
            worker.communicate()
            if kill % 4 == 3:
                (tmp_path / "telemetry" / "manifest.json").unlink()
            assert answer(tmp_path) == [[EXPORTS * ROWS] * 2 + [EXPORTS * ROWS * (ROWS - 1) // 2]]
            segments.append(len(manifests.load(tmp_path / "telemetry").segments))

        assert segments[-1] < 2 * EXPORTS  # of two tables: something was joined
