"""Ready at once with two gigabytes of backlog, in little memory, also without any index."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from yardstick import slowness, yardstick

from qmon_agent.journal import Journal, JournalReader

BACKLOG = 2_000_000_000
FRAME = 60_000
READY_WITHIN_S = 1.0
PROBE = """
import json, sys, time
from pathlib import Path
from qmon_agent.journal import Journal

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))

before, start = peak(), time.monotonic()
journal = Journal.open(Path(sys.argv[1]))
opened = time.monotonic() - start
settled = journal.wait_until_settled(60)
print(json.dumps({
    "opened_s": opened, "settled": settled, "settled_s": time.monotonic() - start,
    "grown_mb": peak() - before, "peak_mb": peak(), "bytes": journal.status().bytes,
    "last": journal.status().committed.record_id,
}))
journal.halt()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("backlog") / "journal"
    if shutil.disk_usage(home.parent).free < 2 * BACKLOG:
        pytest.fail("four gigabytes free are needed to write two")
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def records(home):
    journal = Journal.open(home)
    frame = os.urandom(FRAME)
    for sequence in range(1, BACKLOG // FRAME + 1):
        process = bytes([sequence % 50]) * 16
        journal.append(frame, process=process, sequence=sequence)
        if sequence % 120 == 0:
            journal.commit()
    journal.commit()
    journal.halt()
    return BACKLOG // FRAME


def probed(home):
    run = [sys.executable, "-c", PROBE, str(home)]
    return json.loads(subprocess.run(run, capture_output=True, check=True, timeout=100).stdout)


@pytest.mark.slow
@pytest.mark.timeout(300)
class TestTwoGigabytes:
    def test_are_no_reason_to_start_late_or_large(self, home, records):
        found = probed(home)
        print(found)
        assert found["bytes"] > BACKLOG
        assert (records, True) == (found["last"], found["settled"])
        assert found["opened_s"] <= READY_WITHIN_S * slowness(yardstick())
        assert found["grown_mb"] <= 16

    def test_nor_without_sidecars_and_checkpoint(self, home, records):
        for path in (*home.glob("*.idx"), home / "dedup"):
            path.unlink()
        found = probed(home)
        print(found)
        assert (records, True) == (found["last"], found["settled"])
        assert found["opened_s"] <= READY_WITHIN_S * slowness(yardstick())
        assert found["grown_mb"] <= 16

    def test_are_read_in_bounded_pieces(self, home, records):
        reader = JournalReader(home)
        count = 0
        while got := reader.read(max_bytes=1 << 20):
            assert sum(len(one.payload) for one in got) < (1 << 20) + FRAME
            count += len(got)
        reader.close()
        assert records == count
