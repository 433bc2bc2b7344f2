"""The move is killed again and again: what it says at last is every row, once."""

import random
import subprocess
import sys
import time

import pytest

from qmon_agent.domain.clock import SystemClock
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry.engine import open_engine
from qmon_agent.store.telemetry.following import Follower
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, encode_frame
from qmon_sdk.protocol.signals import Event, Span
from tests.clickhouse.conftest import chdb_in

KILLS, FRAMES, ROWS, DAYS, BLOCK_ROWS = 12, 8, 1_000, 3, 40
DAY_NS = 86_400 * 10**9
# What the command does, with small blocks: a kill finds one in every state.
MOVE = f"""
import sys
from pathlib import Path
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry.emigrating import emigrate
state = Path(sys.argv[1])
options = TelemetryOptions(
    directory=f"{{state}}/telemetry", journal=f"{{state}}/journal", address=sys.argv[2]
)
said = emigrate(options, state, block_rows={BLOCK_ROWS})
for name, days in said.sums.items():
    print(name, sum(day.rows for day in days.values()), "rows")
"""


def fill(state):
    """Rows in segments of three days, and some in the hot file."""
    journal = Journal.open(state / "journal", options=JournalOptions(), clock=SystemClock())
    engine = open_engine(
        TelemetryOptions(directory=f"{state}/telemetry", journal=f"{state}/journal")
    )
    follower = Follower(state / "journal", engine, bury=lambda *_: None)
    for frame in range(FRAMES):
        times = [1 + DAY_NS * (n % DAYS) + n for n in range(ROWS)]
        signals = [Event(time=at, name=f"{frame}/{at}") for at in times]
        signals += [Span(time=at, duration_ns=at) for at in times]
        process = (frame + 1).to_bytes(16, "big")
        sent = Frame(process=process, sequence=1, blocks=blocks_of(signals))
        journal.append(encode_frame(sent), process=process, sequence=1)
        follower.follow(journal.commit(), max_bytes=1 << 20)
        while frame == FRAMES // 2 and (engine.exported != engine.stored or engine.busy()):
            engine.tend(now=time.time_ns(), everything=True)
    for each in (follower, engine, journal):
        each.close()


def started(state):
    command = [sys.executable, "-c", MOVE, str(state), chdb_in(state)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def seen(state):
    """How far the move says that it is."""
    path = state / "migration.json"
    return path.read_bytes() if path.exists() else b""


def move_and_kill(state, chance):
    """Whether it was killed: some blocks further, and at any moment of the next."""
    blocks = chance.randrange(1, 40)
    with started(state) as moving:
        before = seen(state)
        while blocks and moving.poll() is None:
            time.sleep(0.001)
            blocks, before = blocks - (seen(state) != before), seen(state)
        time.sleep(chance.uniform(0, 0.03))
        moving.kill()
        moving.stdout.read()
    return moving.returncode != 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_row_arrives_once(tmp_path):
    pytest.importorskip("chdb")
    fill(tmp_path)
    chance, killed = random.Random(11), 0
    while killed < KILLS and move_and_kill(tmp_path, chance):
        killed += 1
    at = seen(tmp_path).decode()
    with started(tmp_path) as last:
        said, _ = last.communicate(timeout=300)

    print(f"killed {killed} times, the last time at {at}; then: {said}")
    for table in ("spans", "events"):
        assert f"{table} {FRAMES * ROWS} rows" in said
    assert killed >= KILLS // 2
