"""A backup is killed at random moments, while the store moves: the last good one stays good."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from qmon_agent.app.restoring import check, restore
from qmon_agent.app.vault import Vault
from qmon_agent.domain.clock import SystemClock
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.settings import find_locations
from qmon_agent.store.state import StateStore
from qmon_agent.store.telemetry import TelemetryOptions, open_readonly
from qmon_agent.store.telemetry.engine import open_engine
from qmon_agent.store.telemetry.following import Follower
from qmon_agent.store.telemetry.options import Exporting
from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import Frame, encode_frame
from qmon_sdk.protocol.signals import Span

KILLS, ROWS = 6, 100
BACKUP = """
import sys
from pathlib import Path
from qmon_agent.app.backing_up import back_up
from qmon_agent.app.vault import Vault
from qmon_agent.settings import find_locations
print("begins", flush=True)
back_up(find_locations(state=sys.argv[1]), Vault(Path(sys.argv[2])), keep=3)
"""
HELD = "SELECT count(*) AS n, max(duration_ns) AS last, count(DISTINCT duration_ns) AS frames"


class Moving:
    """An agent's memory that changes all the time: frames come, are stored, exported, trimmed."""

    def __init__(self, state: Path) -> None:
        journal = str(state / "journal")
        self.journal = Journal.open(
            Path(journal), options=JournalOptions(segment_bytes=1 << 16), clock=SystemClock()
        )
        options = TelemetryOptions(
            directory=str(state / "telemetry"), journal=journal, exporting=Exporting(rows=500)
        )
        self.engine = open_engine(options)
        self.follower = Follower(Path(journal), self.engine, bury=lambda *_: None)
        StateStore.open(f"sqlite:///{state}/state.db").close()
        self.block = block_of("span", [Span(time=1, span_id=f"{n:016x}") for n in range(ROWS)])
        self.number = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.move)

    def move(self) -> None:
        while not self.stopping.is_set():
            self.number += 1
            columns = list(self.block.columns)
            columns[6] = self.number
            block = self.block.replace(columns=tuple(columns))
            process = self.number.to_bytes(16, "big")
            frame = Frame(process=process, sequence=1, blocks=(block,))
            self.journal.append(encode_frame(frame), process=process, sequence=1)
            committed = self.journal.commit()
            self.follower.follow(committed, max_bytes=1 << 20)
            self.engine.tend(now=time.time_ns())
            self.journal.cursors.save("store", self.engine.exported)
            self.journal.trim()
            time.sleep(0.05)

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join()
        self.follower.close()
        self.engine.close()
        self.journal.close()


@pytest.fixture
def moving(tmp_path):
    moving = Moving(tmp_path / "state")
    moving.thread.start()
    yield moving
    moving.stop()


def back_up(tmp_path, *, kill_after_s=60.0):
    """Its exit code, or what it was killed by."""
    run = [sys.executable, "-c", BACKUP, str(tmp_path / "state"), str(tmp_path / "vault")]
    with subprocess.Popen(run, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        try:
            return child.wait(kill_after_s)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()


def test_a_backup_that_is_killed_leaves_those_before_it_whole(moving, tmp_path):
    vault, dice, killed = Vault(tmp_path / "vault"), random.Random(7), 0
    first = moving.number
    assert back_up(tmp_path) == 0
    for n in range(KILLS):
        # The first is killed as it begins: a fast machine may be done with all others in time.
        killed += back_up(tmp_path, kill_after_s=dice.uniform(0, 0.3) if n else 0) < 0
        _, bad = check(vault)
        assert not bad, n
    assert back_up(tmp_path) == 0
    last = moving.number

    restore(find_locations(state=str(tmp_path / "there")), vault)

    with open_readonly(tmp_path / "there") as store:
        (held,) = store.query(f"{HELD} FROM spans").records()
    print(f"{killed} of {KILLS} backups were killed; {held['n']} spans restored")
    # Every frame once and whole, without a gap, up to some moment of the last backup.
    assert held["n"] == ROWS * held["frames"] == ROWS * held["last"]
    assert first < held["last"] <= last
    assert killed
