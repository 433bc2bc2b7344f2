"""An entry of alerting is written whole or not at all, whenever the writer is killed."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

KILLS = 12
TABLES = ("incidents", "transitions", "outbox", "rule_state")
# Each entry has one row for every table, and moves the place of the rules on.
WRITER = """
import sys, time
from qmon_agent.domain.catalog import Alert
from qmon_agent.domain.clock import SystemClock
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.ledger import (
    Entry, IncidentRecord, Posting, StateRecord, TransitionRecord
)

store = StateStore.open(f"sqlite:///{sys.argv[1]}", SystemClock())
if not store.catalog.alerts():
    store.catalog.put_alert(Alert(name="hot"))
alert = store.catalog.alerts()[0].id
first = number = int(store.incidents.position() or 0)
while True:
    number += 1
    name, now = f"i{number}", store.clock.now()
    store.incidents.write(Entry(
        incidents={name: IncidentRecord(
            id=name, alert=alert, instance=name, state="firing", since=now)},
        transitions=[TransitionRecord(
            incident=name, before="pending", after="firing", reason="breach", at=now)],
        postings=[Posting(
            key=name, incident=name, channel="pager", notice="{}",
            created_at=now, due_at=now, deadline=now + 10**12)],
        states=[StateRecord(alert=alert, instance=name, state="{}")],
        position=str(number),
    ))
    if number == first + 1:
        print("at work", flush=True)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.sqlite"


def killed_after(path, pause_s):
    """A writer that never rests, until it is killed."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert b"at work\n" == writer.stdout.readline()
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
