"""Killed while it brings a store or a state of before to today, or moves one: nothing is lost."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from qmon_agent.store.state import StateStore, schema
from qmon_agent.store.telemetry import manifest as manifests
from qmon_agent.store.telemetry import open_readonly

KILLS = int(os.environ.get("QMON_STORE_KILLS", "8"))
OLD = Path(__file__).resolve().parents[1] / "golden" / "state" / "v1.tar.gz"
INCIDENTS = 3_000
COUNTS = "SELECT (SELECT count(*) FROM spans), (SELECT count(*) FROM errors)"

OPENS_STATE = """
import sys
from qmon_agent.store.state import StateStore
print("begins", flush=True)
StateStore.open(sys.argv[1], owner="me").close()
"""
OPENS_STORE = """
import sys
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry.engine import open_engine
print("begins", flush=True)
home = sys.argv[1]
open_engine(TelemetryOptions(directory=home + "/telemetry", journal=home + "/journal"))
"""
MOVES = """
import sys
from qmon_agent.app.moving_house import move
from qmon_agent.settings import find_locations
print("begins", flush=True)
move(find_locations(state=sys.argv[1]), sys.argv[2])
"""


def killed(program, *arguments, after_s):
    """Whether it was still at it."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdout.readline()
        time.sleep(after_s)
        process.kill()
    return process.returncode == -signal.SIGKILL


def lasted_s(program, *arguments):
    """How long it takes by itself."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True)
    return time.monotonic() - began


@pytest.fixture
def old_store(tmp_path):
    """What an agent of the first generation left."""
    with tarfile.open(OLD) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "state"


@pytest.fixture
def old_state(tmp_path):
    """Of the first revision, with so many incidents that they are not migrated in no time."""
    engine = create_engine(f"sqlite:///{tmp_path}/old.db")
    schema.upgrade(engine, "0001")
    incidents = [{"id": f"i{n}"} for n in range(INCIDENTS)]
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO alerts (name, created_at, updated_at) VALUES ('hot', 1, 1)")
        )
        connection.execute(
            text("INSERT INTO incidents (id, alert, since, updated_at) VALUES (:id, 1, 1, 1)"),
            incidents,
        )
    engine.dispose()
    return tmp_path / "old.db"


class TestAState:
    @pytest.mark.timeout(600)
    def test_killed_while_it_is_migrated_is_the_old_or_the_new_and_whole(
        self, old_state, tmp_path, measured
    ):
        chance, at_it = random.Random(1), 0
        shutil.copy(old_state, tmp_path / "once.db")
        longest_s = lasted_s(OPENS_STATE, f"sqlite:///{tmp_path}/once.db")
        for number in range(KILLS):
            path = tmp_path / f"{number}.db"
            shutil.copy(old_state, path)
            after_s = chance.uniform(0.0, longest_s)
            at_it += killed(OPENS_STATE, f"sqlite:///{path}", after_s=after_s)

            store = StateStore.open(f"sqlite:///{path}", owner="me")
            assert store.set_aside is None
            assert INCIDENTS == len(store.incidents.find(limit=2 * INCIDENTS))
            store.close()
        measured(kills=KILLS, still_at_it=at_it)


class TestAStore:
    @pytest.mark.timeout(600)
    def test_killed_while_it_is_brought_up_to_date_has_every_row(
        self, old_store, tmp_path, measured
    ):
        chance, at_it = random.Random(2), 0
        wanted = json.loads((old_store / "known.json").read_text())["counts"]
        shutil.copytree(old_store, tmp_path / "once")
        longest_s = lasted_s(OPENS_STORE, tmp_path / "once")
        for number in range(KILLS):
            home = shutil.copytree(old_store, tmp_path / f"{number}")
            at_it += killed(OPENS_STORE, home, after_s=chance.uniform(0.0, longest_s))
            at_it += killed(OPENS_STORE, home, after_s=chance.uniform(0.0, longest_s))

            assert [list(wanted.values())] == caught_up(home)
            assert manifests.load(home / "telemetry").damaged == ()
        measured(kills=2 * KILLS, still_at_it=at_it)

    @pytest.mark.timeout(600)
    def test_killed_while_it_is_moved_is_there_still_and_arrives_whole(
        self, old_store, tmp_path, measured
    ):
        chance, at_it, there = random.Random(3), 0, tmp_path / "there"
        wanted = json.loads((old_store / "known.json").read_text())["counts"]
        caught_up(old_store)
        for _ in range(KILLS):
            at_it += killed(MOVES, old_store, f"duckdb://{there}", after_s=chance.uniform(0, 0.3))
            assert [list(wanted.values())] == caught_up(old_store)
        subprocess.run([sys.executable, "-c", MOVES, old_store, f"duckdb://{there}"], check=True)

        with open_readonly(old_store, telemetry=there) as store:
            assert [list(wanted.values())] == store.query(COUNTS).rows
        measured(kills=KILLS, still_at_it=at_it)


def caught_up(home):
    """The rows of a store, with those that only the journal has."""
    with open_readonly(home) as store:
        return store.query(COUNTS).rows
