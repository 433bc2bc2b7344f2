"""The disk fails while a state is opened: it is neither given up nor set aside, but tried again."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from qmon_agent.store.state import StateStore
from tests.crash.failing_disk import FailingDisk, has_compiler

OPENS = """
import json, sys
from qmon_agent.domain.errors import StateAwayError
from qmon_agent.store.state import StateStore
try:
    store = StateStore.open(sys.argv[1], owner="me")
except StateAwayError as error:
    print(json.dumps({"away": str(error)}))
else:
    print(json.dumps({"set_aside": str(store.set_aside or "")}))
    store.close()
"""
FIRST, MOST = 1, 60
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD and /proc"),
    pytest.mark.timeout(240),
]


@pytest.mark.parametrize("call", ["read", "write", "fsync", "open"])
def test_a_state_is_opened_as_it_was_or_said_to_be_away(tmp_path, missing, call):
    """Each call in turn is the one that fails."""
    if not has_compiler():
        missing("gcc (apt-get install gcc)")
    path = tmp_path / "state.db"
    StateStore.open(f"sqlite:///{path}", owner="me").close()
    disk = FailingDisk(tmp_path, path)
    said = []
    for number in range(FIRST, MOST, 3):
        disk.fail(call, "EIO", after=number, times=1)
        said.append(opened(disk, path))
        if not disk.be_well():
            break

    assert not list(tmp_path.glob("*.damaged-*"))
    assert any("away" in each for each in said)
    assert [each for each in said if each.get("set_aside")] == []


def opened(disk, path):
    command = [sys.executable, "-c", OPENS, f"sqlite:///{path}"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **disk.environment}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


WRITES = """
import sys
from qmon_agent.domain.errors import StoreError
from qmon_agent.store.state import StateStore
store = StateStore.open(sys.argv[1], owner="me")
with store.reading() as connection:  # so that who writes opens the file anew
    connection.exec_driver_sql("SELECT 1")
    print("open", flush=True)
    sys.stdin.readline()
    for _ in range(2):
        try:
            store.tokens.create("read")
            print("written", flush=True)
        except StoreError:
            print("refused", flush=True)
store.close()
"""


def test_a_state_is_written_again_after_a_file_did_not_open_to_be_written(tmp_path, missing):
    if not has_compiler():
        missing("gcc (apt-get install gcc)")
    path = tmp_path / "state.db"
    disk = FailingDisk(tmp_path, path)
    with subprocess.Popen(
        [sys.executable, "-c", WRITES, f"sqlite:///{path}"],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **disk.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writing:
        assert writing.stdout.readline() == "open\n"
        disk.fail("open", "EIO", times=1)
        said, _ = writing.communicate("go on\n", timeout=60)

    assert ["refused", "written"] == said.split()
