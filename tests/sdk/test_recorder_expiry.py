"""Rings that no agent comes for are taken away in the end, and never one that somebody needs."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qmon_sdk.protocol import flight
from qmon_sdk.recorder.expiry import MOST_BYTES, OLDEST_S, QUIET_S, expire
from qmon_sdk.recorder.ring import Ring
from qmon_sdk.start import stats

DAY_S = 24 * 3600
NOBODY = 1 << 30  # more than any pid
FITTING = MOST_BYTES // flight.SIZE


@pytest.fixture
def leave(tmp_path):
    """Leave a ring of a process that was last seen so many seconds after now."""

    def write(number, after=0, pid=NOBODY, started=1):
        head = bytearray(flight.HEAD_BYTES)
        flight.WORD.pack_into(head, flight.PID, pid)
        flight.WORD.pack_into(head, flight.STARTED, started)
        seen = time.time_ns() + int(after * 1e9)
        flight.SAMPLE.pack_into(head, flight.SAMPLES_AT, seen, 0, 0, 0)
        path = tmp_path / f"agent{number % 3}.{number:032x}.ring"
        path.write_bytes(head)
        path.with_suffix(".fault").write_bytes(b"")
        return path

    return write


def names(folder):
    return sorted(path.name.partition(".")[2] for path in folder.glob("*.ring"))


class TestLeftRings:
    def test_go_when_nobody_came_for_a_week(self, leave, tmp_path):
        leave(1)
        young = leave(2, after=DAY_S)
        gone = expire(str(tmp_path), now=time.time() + OLDEST_S + 60)

        assert (1, {young, young.with_suffix(".fault")}) == (gone, {*tmp_path.iterdir()})

    def test_go_oldest_first_when_they_are_too_many(self, leave, tmp_path):
        for number in range(FITTING + 3):
            leave(number, after=number)
        kept = names(tmp_path)[3:]
        gone = expire(str(tmp_path), now=time.time() + QUIET_S + 60)

        assert (3, kept) == (gone, names(tmp_path))

    def test_stay_for_an_hour_however_many_they_are(self, leave, tmp_path):
        for number in range(FITTING + 3):
            leave(number)

        assert 0 == expire(str(tmp_path), now=time.time() + QUIET_S - 60)

    def test_stay_while_their_process_lives_even_without_its_lock(self, leave, tmp_path):
        stat = Path("/proc/self/stat").read_text("latin-1")
        started = int(stat.rpartition(")")[2].split()[19])
        leave(1, pid=os.getpid(), started=started)

        assert 0 == expire(str(tmp_path), now=time.time() + 9 * DAY_S)

    def test_stay_while_an_agent_reads_them(self, leave, tmp_path):
        path = leave(1)
        with path.open("r+b") as ring:
            reads = "import sys; from qmon_sdk.recorder.expiry import expire; import time;"
            reads += f"sys.exit(expire({str(tmp_path)!r}, now=time.time() + {OLDEST_S} + 60))"
            fcntl.lockf(ring, fcntl.LOCK_EX)
            kept = subprocess.run([sys.executable, "-c", reads], check=False).returncode

        assert (0, True) == (kept, path.exists())

    def test_of_this_process_keep_their_lock(self, tmp_path):
        ring = Ring(str(tmp_path / "a.mine.ring"), bytes(16))
        gone = expire(str(tmp_path), now=time.time() + 9 * DAY_S)
        ring.remove()

        assert 0 == gone

    def test_that_make_no_sense_go_as_well(self, tmp_path):
        (tmp_path / "a.torn.ring").write_bytes(b"\xff" * 700)
        (tmp_path / "a.empty.ring").touch()
        (tmp_path / "a.link.ring").symlink_to("/dev/null")

        assert 2 == expire(str(tmp_path), now=time.time() + OLDEST_S + 60)
        assert ["link.ring"] == names(tmp_path)

    def test_are_none_where_there_is_no_folder(self, tmp_path):
        assert 0 == expire(str(tmp_path / "none"))

    def test_are_no_trouble_where_none_can_be(self, told, tmp_path):
        (tmp_path / "file").touch()
        ring = Ring(f"{tmp_path}/file/a.ring", bytes(16))
        for _ in range(3):
            ring.look()

        assert {} == stats().trouble

    def test_are_named_when_they_go(self, told, leave, tmp_path):
        leave(1)
        expire(str(tmp_path), now=time.time() + OLDEST_S + 60)

        assert {"flight rings left behind: NobodyCameError": 1} == stats().trouble
