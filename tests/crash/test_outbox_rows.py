"""An entry of alerting is written whole or not at all, whenever the writer is killed."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

KILLS = 12
TABLES = ("incidents", "transitions", "outbox", "rule_state")
WRITER = Path(__file__).with_name("entries_child.py")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.sqlite"


def killed_after(path, pause_s):
    """A writer that never rests, until it is killed."""
    command = [sys.executable, str(WRITER), f"sqlite:///{path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert int(writer.stdout.readline())
        time.sleep(pause_s)
        writer.kill()
    assert -signal.SIGKILL == writer.returncode


def counted(path):
    """Place of the rules, and rows of each table, as another program reads them."""
    with closing(sqlite3.connect(path)) as state:
        ((place,),) = state.execute(
            "SELECT max(CAST(position AS INTEGER)) FROM checkpoints WHERE name = 'rules'"
        )
        sizes = {name: state.execute(f"SELECT count(*) FROM {name}") for name in TABLES}
        return place or 0, {name: size.fetchone()[0] for name, size in sizes.items()}


class TestEntry:
    def test_is_in_every_table_or_in_none_after_a_kill(self, path):
        chance, place = random.Random(20260214), 0
        for _ in range(KILLS):
            killed_after(path, chance.uniform(0.02, 0.12))
            before, (place, rows) = place, counted(path)

            assert dict.fromkeys(TABLES, place) == rows
            assert place >= before
        assert place >= KILLS
