"""The state store: changes of incidents, each with the message that it causes, as the rules write.

A transaction holds what one look at the clock has caused: the newest state of the incidents, their
transitions, the letters, what the rules remember, and their place. Beside it one at a time, and
what leasing and settling messages takes. On SQLite, and on a PostgreSQL of its own that syncs.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from qmon_agent.domain.catalog import Alert
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.ledger import (
    Entry,
    IncidentRecord,
    Posting,
    StateRecord,
    TransitionRecord,
)
from qmon_agent.store.state.sendings import Settled

from .figures import Figure, progress
from .ports import free_port

WANTED = 2_000.0
TOGETHER = 100
RUNS, SECONDS, QUICK = 3, 5.0, 1.0
NOTICE = '{"status": "firing", "severity": "warning", "alert": "hot", "pad": "' + "x" * 500 + '"}'
PATIENCE_S = 30.0
SIZES = ((TOGETHER, "of 100 in a transaction, as one look causes"), (1, "one in a transaction"))


def state(*, quick=False):
    """Transitions a second, each with its letter on disk."""
    seconds, runs = (QUICK, 1) if quick else (SECONDS, RUNS)
    with tempfile.TemporaryDirectory() as place, _postgres() as server:
        addresses = {"SQLite": f"sqlite:///{Path(place) / 'state.db'}"}
        if server:
            addresses["PostgreSQL"] = server
        for engine, dsn in addresses.items():
            progress(f"state on {engine}")
            store = StateStore.open(dsn, owner="bench")
            try:
                yield from _figures(store, engine, seconds=seconds, runs=runs)
            finally:
                store.close()


def _figures(store, engine, *, seconds, runs):
    store.catalog.put_alert(Alert(name="hot"))
    _rate(store, TOGETHER, seconds=0.5)
    sent = [rate for _ in range(runs) if (rate := _settled(store, seconds / runs))]
    yield Figure(what=f"letters leased and settled, one by one, {engine}", ours=sent, unit="/s")
    for together, words in SIZES:
        found = [_rate(store, together, seconds) for _ in range(runs)]
        wanted = (">=", WANTED) if together > 1 else None
        yield Figure(
            what=f"transitions, each with a letter, {words}, {engine}",
            ours=found,
            unit="/s",
            wanted=wanted,
        )


def _rate(store, together, seconds):
    alert, number = store.catalog.alerts()[0].id, int(store.incidents.position() or 0)
    first, began = number, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        store.incidents.write(_entry(store, alert, range(number, number + together)))
        number += together
    return (number - first) / spent


def _entry(store, alert, numbers):
    now, entry = store.clock.now(), Entry(position=str(numbers.stop))
    for number in numbers:
        name = f"i{number}"
        entry.incidents[name] = IncidentRecord(
            id=name, alert=alert, instance=name, labels={"host": name}, state="firing", since=now
        )
        entry.transitions.append(
            TransitionRecord(incident=name, before="pending", after="firing", reason="", at=now)
        )
        entry.postings.append(
            Posting(
                key=name,
                incident=name,
                channel="pager",
                notice=NOTICE,
                created_at=now,
                due_at=now,
                deadline=now + 10**13,
            )
        )
        entry.states.append(StateRecord(alert=alert, instance=name, state='{"episode": 1}'))
    return entry


def _settled(store, seconds):
    done, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        now = store.clock.now()
        due = store.outbox.lease("pager", owner="bench", until=now + 10**11)
        if not due:
            break
        for leased in due:
            store.outbox.settle(leased, Settled(status="sent", at=now))
            done += 1
    return done / spent


@contextmanager
def _postgres():
    """One with its usual durability, as a DSN; none where there is no PostgreSQL."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        progress("PostgreSQL is missing (apt-get install postgresql)")
        yield None
        return
    room = Path(tempfile.mkdtemp(prefix="qmon-bench-"))
    who = _nobody_special(room)
    data, port, home = room / "data", free_port(), programs[-1].parent
    make = [home / "initdb", "-D", data, "-U", "postgres", "-A", "trust"]
    subprocess.run(make, check=True, capture_output=True, cwd=room, **who)
    server = subprocess.Popen(
        [home / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1",
         "-c", f"unix_socket_directories={room}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who,
    )  # fmt: skip
    try:
        _until(lambda: "ready" in (data / "postmaster.pid").read_text())
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(PATIENCE_S)
        shutil.rmtree(room, ignore_errors=True)


def _nobody_special(room):
    """PostgreSQL refuses to run as root."""
    if os.geteuid():
        return {}
    known = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in known else "nobody"
    shutil.chown(room, user)
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _until(is_so):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if is_so():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError("PostgreSQL does not begin")


CASES = {"state": state}
