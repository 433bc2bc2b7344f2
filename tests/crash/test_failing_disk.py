"""The disk of a state, a backup or a move fails once and for a while: nothing lost or doubled."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from qmon_agent.store.state import StateStore
from qmon_agent.store.telemetry import open_readonly
from tests.crash.failing_disk import FOREVER, FailingDisk, has_compiler
from tests.crash.test_migration_kill import COUNTS, MOVES, OLD

RECORDS = 400
FAULTS = [
    *(("ENOSPC", call) for call in ("write", "fsync")),
    *(("EIO", call) for call in ("write", "fsync", "read")),
]
BACKUP = """
import sys
from pathlib import Path
from qmon_agent.app.backing_up import back_up
from qmon_agent.app.vault import Vault
from qmon_agent.settings import find_locations
back_up(find_locations(state=sys.argv[1]), Vault(Path(sys.argv[2])), keep=3)
"""
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD and /proc"),
    pytest.mark.timeout(120),
]


@pytest.fixture
def disk_under(tmp_path, missing):
    if not has_compiler():
        missing("gcc (apt-get install gcc)")
    return lambda place: FailingDisk(tmp_path, place)


@pytest.fixture
def old_store(tmp_path):
    """What an agent of the first generation left."""
    subprocess.run(["tar", "-xzf", OLD, "-C", tmp_path], check=True)
    return tmp_path / "state"


def run(disk, program, *arguments):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    environment = environment_with(disk)
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True)


def environment_with(disk):
    return {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **disk.environment}


class TestAState:
    @pytest.mark.parametrize(("error", "call"), FAULTS)
    def test_has_every_transition_once(self, tmp_path, disk_under, measured, error, call):
        (tmp_path / "home").mkdir()
        dsn, failed = f"sqlite:///{tmp_path}/home/state.db", []
        disk = disk_under(tmp_path / "home" / "state.db")
        child = Path(__file__).with_name("judging_child.py")
        command = [sys.executable, str(child), dsn, str(RECORDS)]
        with subprocess.Popen(
            command, env=environment_with(disk), stdout=subprocess.PIPE
        ) as judging:
            judging.stdout.readline()
            for times, lasts_s in ((1, 0.5), (5, 0.5), (FOREVER, 2.5)):
                disk.fail(call, error, times=times)
                time.sleep(lasts_s)
                failed.append(disk.be_well())
                time.sleep(0.2)
            assert 0 == judging.wait(60)

        measured(error=error, call=call, failed=failed)
        store = StateStore.open(dsn, owner="me")
        assert store.set_aside is None
        fired = store.incidents.find(limit=2 * RECORDS)
        lives = [len(store.incidents.transitions_of(each.id)) for each in fired]
        assert (len(fired), {*lives}) == (RECORDS, {1})
        assert {("pager", "waiting"): RECORDS} == store.outbox.counts()
        store.close()


class TestWhatIsCopied:
    @pytest.mark.parametrize("program", [BACKUP, MOVES], ids=["backup", "migrate"])
    @pytest.mark.parametrize(("error", "call"), FAULTS)
    def test_is_refused_in_words_and_whole_the_next_time(
        self, old_store, tmp_path, disk_under, error, call, program
    ):
        there = tmp_path / "there"
        target = there if program == BACKUP else f"duckdb://{there}"
        disk = disk_under(there)
        disk.fail(call, error)
        first = run(disk, program, old_store, target)
        failed = disk.be_well()
        again = run(disk, program, old_store, target)

        assert 0 == again.returncode, again.stderr
        assert (first.returncode != 0) == bool(failed), first.stderr
        if program == MOVES:
            with open_readonly(old_store, telemetry=there) as store:
                assert store.query(COUNTS).rows


RESTORE = "from qmon_agent.cli._program import main; main()"


class TestWhatIsPutBack:
    @pytest.mark.parametrize("call", ["rename", "write", "fsync"])
    def test_is_there_whole_or_all_is_as_it_was(self, old_store, tmp_path, disk_under, call):
        there = tmp_path / "there"
        disk = disk_under(old_store)
        assert 0 == run(disk, BACKUP, old_store, there).returncode
        before, refused = names_in(old_store), 0
        options = ["restore", there, "--force", "--state", old_store]
        for number in range(0, 60, 3):
            disk.fail(call, "EIO", after=number, times=1)
            done = run(disk, RESTORE, *options)
            if not disk.be_well():
                break
            if done.returncode:
                refused += 1
                assert "Input/output error" in done.stderr
                assert "Traceback" not in done.stderr
                assert before == names_in(old_store)
            before = names_in(old_store)

        assert refused
        with open_readonly(old_store) as store:
            assert store.query(COUNTS).rows


def names_in(folder):
    return sorted(str(each) for each in folder.iterdir())
