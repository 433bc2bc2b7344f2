"""PostgreSQL killed and restarted under load, and those who write there: nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import event

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.domain.catalog import Alert
from qmon_agent.domain.clock import SystemClock
from qmon_agent.domain.errors import StoreError
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.ledger import Entry, IncidentRecord, TransitionRecord
from qmon_agent.store.state.sendings import Settled
from qmon_sdk.protocol.signals import Point

KILLS = 5
STOPPED_S, PATIENCE_S = 25.0, 20.0
"""An answer is waited for ten seconds, and three for a new connection, which does not come; the
rest is a busy machine's.
"""
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


class TestAServerThatIsStopped:
    """It is there, accepts what it is sent, and says nothing: nobody is told, and nothing ends."""

    @pytest.mark.timeout(120)
    def test_holds_up_rules_for_a_moment_and_what_is_written_is_whole(self, mortal_place, measured):
        chance = random.Random(20261127)
        store = StateStore.open(mortal_place.dsn, SystemClock(), owner="me")
        service = AlertService(store, channels=("pager",), clock=store.clock)
        service.declare([AlertOptions(name="hot", metric="temp", threshold="> 5")])
        stopper = threading.Thread(target=stop_for, args=(mortal_place.server, chance))
        stopper.start()
        seen, longest_s, troubles = 0, 0.0, set()
        while stopper.is_alive():
            seen, began = seen + 1, time.monotonic()
            observe(service, store.clock, seen)
            longest_s = max(longest_s, time.monotonic() - began)
            troubles.add(store.trouble)
            time.sleep(0.004)
        written_by(service, 30)

        measured(stopped_s=STOPPED_S, records=seen, held_up_s=f"{longest_s:.1f}")
        judged_right(mortal_place, seen)
        assert any("cannot be reached" in each for each in troubles)
        assert longest_s < PATIENCE_S
        assert store.trouble == ""
        store.close()

    @pytest.mark.timeout(60)
    def test_and_commits_what_was_given_up_does_not_have_it_twice(self, mortal_place):
        store = StateStore.open(mortal_place.dsn, SystemClock(), owner="me")
        entry = entry_of(store)
        halted = halted_at_commit(store)
        with pytest.raises(StoreError, match="said nothing"):
            store.incidents.write(entry)
        goes_on = threading.Timer(1.0, os.kill, (halted[0], signal.SIGCONT))
        goes_on.start()
        time.sleep(0.3)  # nobody tries again at once

        store.incidents.write(entry)

        goes_on.join()
        assert [(1,)] == mortal_place.ask("SELECT count(*) FROM transitions")
        store.close()


def entry_of(store):
    """An incident that fires."""
    store.catalog.put_alert(Alert(name="hot"))
    now, alert = store.clock.now(), store.catalog.alerts()[0].id
    incident = IncidentRecord(id="i", alert=alert, instance="i", state="firing", since=now)
    fired = TransitionRecord(
        incident="i", before="pending", after="firing", reason="breach", at=now
    )
    return Entry(incidents={"i": incident}, transitions=[fired], position="1")


def halted_at_commit(store):
    """The next process of the server that is told to commit is stopped before; its id, then."""
    halted = []

    @event.listens_for(store._engine, "commit")
    def halt(connection):
        if not halted:
            halted.append(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar())
            os.kill(halted[0], signal.SIGSTOP)

    return halted


def stop_for(server, chance):
    time.sleep(chance.uniform(0.3, 0.6))
    server.send(signal.SIGSTOP)
    time.sleep(STOPPED_S)
    server.send(signal.SIGCONT)
    time.sleep(2)


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
