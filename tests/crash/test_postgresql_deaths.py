"""PostgreSQL killed and restarted under load, and those who write there: nothing is lost."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.domain.clock import SystemClock
from qmon_agent.domain.errors import StoreError
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.sendings import Settled
from qmon_sdk.protocol.signals import Point

KILLS = 5
TABLES = ("incidents", "transitions", "outbox", "rule_state")
WRITER = Path(__file__).with_name("entries_child.py")


class TestAWriter:
    def test_that_is_killed_has_written_whole_entries_and_every_one_it_was_told_of(
        self, state_place
    ):
        chance = random.Random(20260214)
        for _ in range(KILLS):
            told = killed_after(state_place.dsn, chance.uniform(0.02, 0.2))
            [(place,)] = state_place.ask(
                "SELECT max(position::int) FROM checkpoints WHERE name = 'rules'"
            )
            sizes = {name: state_place.ask(f"SELECT count(*) FROM {name}")[0][0] for name in TABLES}

            assert dict.fromkeys(TABLES, place) == sizes
            assert told <= place <= told + 1


def killed_after(dsn, pause_s):
    """A writer that never rests, until it is killed; the last entry it was told is on disk."""
    command = [sys.executable, str(WRITER), dsn]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        first = writer.stdout.readline()
        time.sleep(pause_s)
        writer.kill()
        said = (first + writer.stdout.read()).split(b"\n")[:-1]
    assert -signal.SIGKILL == writer.returncode
    return int(said[-1])


class Sender(threading.Thread):
    """Leases and settles whatever is due, as a notifier does, and remembers what it has told."""

    def __init__(self, store):
        super().__init__(daemon=True)
        self.store, self.told, self.failures = store, [], 0
        self.ends = threading.Event()

    def run(self):
        while not self.ends.is_set():
            try:
                due = self.store.outbox.lease(
                    "pager", owner="agent", until=self.store.clock.now() + 10**10
                )
            except StoreError:
                self.failures += 1
                time.sleep(0.05)
                continue
            for each in due:
                self.told.append(each.key)
                self.settle(each)
            time.sleep(0.001 if due else 0.01)

    def settle(self, leased):
        """For as long as it takes: as the notifier does within its lease."""
        while not self.ends.is_set():
            try:
                self.store.outbox.settle(leased, Settled(status="sent", at=self.store.clock.now()))
            except StoreError:
                self.failures += 1
                time.sleep(0.05)
            else:
                return


class TestAServer:
    def test_that_is_killed_and_restarted_under_load_loses_and_doubles_nothing(self, mortal_place):
        clock, seen = SystemClock(), 0
        store = StateStore.open(mortal_place.dsn, clock, owner="me")
        service = AlertService(store, channels=("pager",), clock=clock)
        service.declare([AlertOptions(name="hot", metric="temp", threshold="> 5")])
        sender = Sender(store)
        sender.start()
        killer = threading.Thread(target=kill_and_restart, args=(mortal_place.server,))
        killer.start()

        while killer.is_alive():
            seen += 1
            observe(service, clock, seen)
            time.sleep(0.004)
        killer.join()
        written_by(service, 30)
        settled_by(store, 30)
        sender.ends.set()
        sender.join()

        judged_right(mortal_place, seen)
        assert sender.failures
        assert len(sender.told) == len({*sender.told}) == seen
        store.close()


def test_rules_read_on_behind_what_is_written_when_the_agent_died_too(mortal_place):
    place = mortal_place
    store = StateStore.open(place.dsn, SystemClock(), owner="first")
    service = AlertService(store, channels=("pager",), clock=store.clock)
    service.declare([AlertOptions(name="hot", metric="temp", threshold="> 5")])
    for number in range(1, 5):
        observe(service, store.clock, number)
    place.server.kill()
    observe(service, store.clock, 5)
    # The agent dies with what it could not write: another reads the journal on from there.
    place.server.start_again()
    again = StateStore.open(place.dsn, SystemClock(), owner="second")
    service = AlertService(again, channels=("pager",), clock=again.clock)
    for number in range(int(service.resume()) + 1, 7):
        observe(service, again.clock, number)
    written_by(service, 20)

    judged_right(place, 6)
    store.close()
    again.close()


def observe(service, clock, number):
    """Each record is of a place of its own, where it is too hot: it fires, and is told."""
    now = clock.now()
    point = Point(metric="temp", value=9.0, time=now, attributes={"place": f"p{number:05}"})
    service.observe(Observed(service="shop", time=now, points=[point], position=str(number)))
    service.tick(now)


def kill_and_restart(server):
    for _ in range(3):
        time.sleep(0.6)
        server.kill()
        time.sleep(0.4)
        server.start_again()
    time.sleep(0.3)


def written_by(service, patience_s):
    deadline = time.monotonic() + patience_s
    while not service.checkpoint():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def settled_by(store, patience_s):
    deadline = time.monotonic() + patience_s
    while any(status in {"waiting", "leased"} for _, status in store.outbox.counts()):
        assert time.monotonic() < deadline, store.outbox.counts()
        time.sleep(0.05)


def judged_right(place, seen):
    """Every record in turn has left its transition, once and in order, and one letter."""
    lives = place.ask(
        "SELECT labels->>'place' FROM transitions t JOIN incidents i ON i.id = t.incident "
        "WHERE after = 'firing' ORDER BY t.id"
    )
    assert [(f"p{number:05}",) for number in range(1, seen + 1)] == lives
    assert [(seen, seen)] == place.ask("SELECT count(*), count(DISTINCT incident) FROM outbox")
