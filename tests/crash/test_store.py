"""The telemetry store against what may happen to it; `QMON_STORE_KILLS=50` for the long run."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from qmon_agent.domain.clock import SystemClock
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry import manifest as manifests
from qmon_agent.store.telemetry.engine import Question, open_engine
from qmon_agent.store.telemetry.following import Follower
from qmon_agent.store.telemetry.options import Exporting, Joining, Rolling
from qmon_agent.store.telemetry.watch import Watch
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, encode_frame
from qmon_sdk.protocol.signals import Point, Span
from tests.crash.store_load import ROWS, Load

KILLS = int(os.environ.get("QMON_STORE_KILLS", "8"))
EXPORTS, EACH = 12, 500
COUNT = "select count(*), count(distinct span_id), sum(duration_ns)::bigint from spans"

# Each frame is of a process of its own, which is told of once, and not by every generation.
SPOKE = "select count(*), count(distinct process) from resources"
PROCESSES = "select count(*), count(distinct hash(process, span_id)) from spans"
RANGE = "select min(n), max(n), count(distinct n) from (select duration_ns as n from spans)"
LABEL_SETS = 100_000
WHOLE = [[EXPORTS * EACH, EXPORTS * EACH, EXPORTS * EACH * (EACH - 1) // 2]]
EAGER = Joining(interval_s=0.0, share=1.0)

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


def filled(home: Path, *, tend: bool = True) -> None:
    """A store of many small segments, all of one past day."""
    journal = Journal.open(home / "journal", options=JournalOptions(), clock=SystemClock())
    engine = open_engine(options_of(home))
    follower = Follower(home / "journal", engine, bury=lambda *_: pytest.fail("buried"))
    for number in range(1, EXPORTS + 1):
        rows = [Span(time=n, span_id=f"{number}-{n}", duration_ns=n) for n in range(EACH)]
        frame = Frame(process=bytes(16), sequence=number, blocks=blocks_of(rows))
        journal.append(encode_frame(frame), process=bytes(16), sequence=number)
        follower.follow(journal.commit(), max_bytes=1 << 20)
        if tend:
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


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [20261123])
async def test_nothing_is_lost_or_doubled_under_load(tmp_path, seed, measured):
    load = Load(tmp_path, joining=EAGER)
    chance, stop, kills = random.Random(seed), asyncio.Event(), 0
    await load.store.start()
    writing = asyncio.create_task(load.run(stop))
    while kills < KILLS:
        kills += await load.kill(chance)
    stop.set()
    await writing

    assert await load.store.caught_up(load.sequence, timeout_s=150)
    rows = load.sequence * ROWS
    assert (await load.store.query(PROCESSES)).rows == [[rows, rows]]
    assert (await load.store.query(RANGE)).rows == [[1, load.sequence, load.sequence]]
    assert (await load.store.query(SPOKE)).rows == [[load.sequence, load.sequence]]
    assert (await load.store.status()).rows["resources"] == load.sequence
    async with asyncio.timeout(30):  # so many rows are due, also where each life was too short
        while not load.exported:
            await asyncio.sleep(0.05)
    assert load.exported > 0
    measured(kills=kills, spans=rows, lost=0, doubled=0)
    await load.store.stop()
    load.journal.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(max(1, KILLS // 8)))
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
    assert (await load.store.query(PROCESSES)).rows == [[rows, rows]]
    await load.store.stop()
    load.journal.close()


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    home = tmp_path_factory.mktemp("filled")
    filled(home)
    return home


@pytest.fixture
def store(once, tmp_path):
    """A copy of a store of many small segments."""
    return shutil.copytree(once, tmp_path / "copy")


class TestKilledWhileItJoins:
    @pytest.mark.timeout(600)
    def test_loses_and_doubles_nothing(self, store, measured):
        chance, segments = random.Random(6), []
        for kill in range(KILLS):
            worker = subprocess.Popen(
                [sys.executable, "-c", JOINS, str(store)], stdout=subprocess.PIPE
            )
            worker.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.25))
            worker.send_signal(signal.SIGKILL)
            worker.communicate()
            if kill % 4 == 3:
                (store / "telemetry" / "manifest.json").unlink()
            assert answer(store) == WHOLE
            segments.append(len(manifests.load(store / "telemetry").segments))

        # On a busy machine it may be killed each time before the first join is done.
        measured(kills=KILLS, segments_before=2 * EXPORTS, segments_after=segments[-1])


class TestSystem:
    """Calls that fail, as `strace` lets them, or a disk that is full."""

    @pytest.mark.parametrize(
        ("error", "calls"),
        [("EIO", "fsync,fdatasync"), ("ENOSPC", "pwrite64,write"), ("EIO", "rename,openat")],
    )
    @pytest.mark.timeout(120)
    def test_that_refuses_while_it_joins_loses_nothing(self, store, missing, error, calls):
        if not shutil.which("strace"):
            missing("strace")
        traced = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={calls}"]
        inject = f"inject={calls}:error={error}:when=200+3"
        worker = subprocess.Popen(
            [*traced, "-e", inject, sys.executable, "-c", JOINS, str(store)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(2.0)
        os.killpg(worker.pid, signal.SIGKILL)  # what strace watches outlives it
        worker.communicate()

        assert answer(store) == WHOLE


class TestClock:
    @pytest.mark.timeout(60)
    @pytest.mark.parametrize("step_s", [400 * 86_400, -400 * 86_400, -3_600])
    def test_that_is_set_stops_neither_exports_nor_joins_nor_rollups(self, tmp_path, step_s):
        filled(tmp_path, tend=False)
        options = msgspec.structs.replace(
            options_of(tmp_path),
            joining=EAGER,
            exporting=Exporting(age_s=300.0),
            rolling=Rolling(share=1.0),
        )
        engine, now = open_engine(options), time.time_ns()
        for moment in (now, now + step_s * 10**9, now, now + 86_400 * 10**9):
            engine.tend(now=moment)
            engine._mover.wait()
            engine._joiner.wait()
            engine._roller.wait()
        engine.close()

        listed = manifests.load(tmp_path / "telemetry")
        assert listed.exported.record_id == EXPORTS
        assert {"spans_1m", "spans_1h", "spans_1d"} <= {each.table for each in listed.segments}
        assert not any(each.unrolled for each in listed.segments)
        assert answer(tmp_path) == WHOLE


class TestManySeries:
    @pytest.mark.timeout(120)
    async def test_stay_within_the_workers_memory_also_rolled_up(self, tmp_path, measured):
        load = Load(tmp_path, joining=EAGER, rolling=Rolling(share=1.0))
        await load.store.start()
        for first in range(0, LABEL_SETS, 2_000):
            points = [
                Point(time=n, metric="m", value=1.0, attributes={"user": f"u{n}", "shard": "7"})
                for n in range(first, first + 2_000)
            ]
            load.put(blocks_of(points))
        assert await load.store.caught_up(load.sequence, timeout_s=60)
        await load.store.export()
        async with asyncio.timeout(60):
            while not (await load.store.status()).counts.get("rolled_segments"):
                await asyncio.sleep(0.2)

        rolled = await load.store.query("select count(*), sum(points)::bigint from points_1m")
        found = await load.store.query(
            "select count(*), count(distinct attributes), sum(value)::bigint from points"
        )
        pid = (await load.store.status()).pid
        peak = int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) >> 10
        await load.store.stop()
        load.journal.close()
        measured(label_sets=LABEL_SETS, worker_mb=peak)
        assert (found.rows, rolled.rows) == ([[LABEL_SETS] * 3], [[LABEL_SETS] * 2])
        assert peak <= 350
