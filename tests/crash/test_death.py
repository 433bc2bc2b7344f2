"""Programs that are killed, run out of memory, crash or leave at once: each is told apart."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MIB = 1 << 20
LIMIT = 128 * MIB
CALLS = 700
V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")

# What a program of a shop is in the middle of when it ends.
PROGRAM = """
import ctypes, os, resource, signal, sys, time
import qmon_sdk as qmon

qmon.init(release="1.4")

@qmon.instrument
def look_up(number):
    return number

def charge():
    with qmon.span("charge", amount=12):
        time.sleep(2.5)  # so that it is weighed while it is at it, on a busy machine too
        {end}
        time.sleep(60)

with qmon.session(user="ada"):
    with qmon.span("pay", kind="server"):
        for number in range({calls}):
            look_up(number)
        qmon.log.info("paying")
        qmon.add_breadcrumb("clicked on pay")
        charge()
"""

HOG = "hog = []\n        while True: hog.append(bytearray(1 << 20))"
ENDS = {
    "kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "segfault": "ctypes.string_at(0)",
    "exit": "os._exit(3)",
    "abort": "os.abort()",
    "rlimit": f"resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n        {HOG}",
    "cgroup": HOG,
}
TYPES = {
    "kill": "KilledBySIGKILL",
    "segfault": "SegmentationFault",
    "exit": "ExitedAbruptly",
    "abort": "Aborted",
    "rlimit": "MemoryError",
    "cgroup": "OutOfMemory",
}
KILLED = [end for end in ENDS if end != "rlimit"]


class Deaths:
    """An agent with a store, and what it knows once each program has come to its end."""

    def __init__(self, agent):
        self.agent = agent
        self.group = None

    def die(self, end):
        source = PROGRAM.format(end=ENDS[end], calls=CALLS)
        command = [sys.executable, "-c", source]
        if end == "cgroup":
            command = ["sh", "-c", f'echo $$ > {self.group}/cgroup.procs; exec "$@"', "-", *command]
        environment = {**self.agent.environment(), "QMON_SERVICE": end}
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    def query(self, sql):
        return self.agent.ask("query", sql)["rows"]

    def one(self, columns, end):
        (row,) = self.query(f"SELECT {columns} FROM errors WHERE service = '{end}'")
        return row


@pytest.fixture(scope="module")
def deaths(make_agent):
    agent = make_agent(options=[])
    deaths = Deaths(agent)
    deaths.group = make_group()
    ends = [end for end in ENDS if end != "cgroup" or deaths.group]
    agent.start()
    programs = [deaths.die(end) for end in ends]
    for program in programs:
        program.communicate(timeout=60)
    agent.until(lambda: len(deaths.query("SELECT 1 FROM errors")) >= len(ends))
    yield deaths
    if deaths.group:
        deaths.group.rmdir()


def make_group():
    """A memory cgroup of its own with a low limit, of whichever version; none without the right."""
    for base, limits in ((V1, ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")),
                         (V2, ("memory.max", "memory.swap.max"))):  # fmt: skip
        group = base / f"qmon-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if not (group / limits[0]).exists():
            group.rmdir()
            continue
        (group / limits[0]).write_text(str(LIMIT))
        if (group / limits[1]).exists():
            (group / limits[1]).write_text("0" if base == V2 else str(LIMIT))
        return group
    return None


@pytest.fixture(params=ENDS)
def end(request, deaths, missing):
    if request.param == "cgroup" and not deaths.group:
        missing("the right to make a memory cgroup")
    return request.param


class TestEveryEnd:
    def test_is_told_apart_by_a_query(self, end, deaths):
        assert TYPES[end] == deaths.one("type", end)["type"]

    def test_is_told_apart_by_tail(self, end, deaths):
        where = f"service = '{end}'"
        words = ["tail", "errors", "--no-follow", "--json", "--where", where]
        done = deaths.agent.command(*words)
        (line,) = done.stdout.splitlines()

        assert TYPES[end] == json.loads(line)["type"]

    def test_keeps_every_finished_span(self, end, deaths):
        (row,) = deaths.query(
            "SELECT count(*) n, count(DISTINCT span_id) ids FROM spans"
            f" WHERE service = '{end}' AND name = 'look_up'"
        )

        assert {"n": CALLS, "ids": CALLS} == row

    def test_tells_whom_it_happened_to(self, end, deaths):
        row = deaths.one("user_id, session_id, release", end)
        (session,) = deaths.query(
            f"SELECT session_id, status FROM sessions WHERE service = '{end}'"
        )

        assert ("ada", "1.4") == (row["user_id"], row["release"])
        assert (row["session_id"], "crashed") == (session["session_id"], session["status"])

    def test_keeps_what_was_logged(self, end, deaths):
        rows = deaths.query(f"SELECT body FROM logs WHERE service = '{end}' AND body = 'paying'")

        assert [{"body": "paying"}] == rows


@pytest.mark.parametrize("end", KILLED, indirect=True)
class TestKilledProcess:
    def test_leaves_its_open_spans(self, end, deaths):
        rows = deaths.query(
            f"SELECT name, status, duration_ns FROM spans WHERE service = '{end}'"
            " AND attributes['qmon.open'] = 'true' ORDER BY time"
        )

        assert [("pay", "error"), ("charge", "error")] == [(r["name"], r["status"]) for r in rows]
        assert all(row["duration_ns"] > 10**9 for row in rows)

    def test_is_found_where_it_was(self, end, deaths):
        row = deaths.one("culprit, span_id, level, handled, stack", end)
        (span,) = deaths.query(
            f"SELECT span_id FROM spans WHERE service = '{end}' AND name = 'charge'"
        )

        assert (span["span_id"], "fatal", False) == (row["span_id"], row["level"], row["handled"])
        assert "charge" in row["stack"]

    def test_shows_the_last_steps(self, end, deaths):
        (crumb,) = json.loads(deaths.one("attributes", end)["attributes"]["breadcrumbs"])

        assert "clicked on pay" == crumb["message"]

    def test_weighed_something_at_the_end(self, end, deaths):
        said = deaths.one("attributes", end)["attributes"]

        assert json.loads(said["death.memory"])
        assert int(said["process.memory.rss"]) > 5 * MIB


class TestOutOfMemory:
    def test_names_the_limit(self, deaths, missing):
        if not deaths.group:
            missing("the right to make a memory cgroup")
        row = deaths.one("message, attributes", "cgroup")

        assert "killed by SIGKILL (out of memory: cgroup limit of 128 MiB)" == row["message"]
        told = row["attributes"]["death.evidence"]
        assert any(word in told for word in ("oom_kill counter", "Memory cgroup out of memory"))


class TestBooks:
    def test_add_up(self, deaths):
        books = deaths.agent.ask("status")["conservation"]

        assert books["adds_up"]
        assert {} == books["dropped_by_reason"]


WAITS = """
import time, qmon_sdk as qmon
qmon.init(integrations=())
with qmon.span("wait"):
    time.sleep(2)  # by then it has called the agent, though nothing has ended
    print(flush=True)
    time.sleep(60)
"""


class TestOtherPidNamespace:
    """In a container a process has another pid than outside, where the agent is."""

    def test_hides_no_death(self, make_agent, missing):
        alone = ["unshare", "--pid", "--fork", "--mount-proc"]
        if not shutil.which(alone[0]) or subprocess.call(
            [*alone, "true"], stderr=subprocess.DEVNULL
        ):
            missing("the right to make a pid namespace, with `unshare` of util-linux")
        agent = make_agent().start()
        with subprocess.Popen(
            [*alone, sys.executable, "-c", WAITS], env=agent.environment(), stdout=subprocess.PIPE
        ) as outside:
            outside.stdout.readline()
            (inside,) = Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text().split()
            os.kill(int(inside), 9)
        (error,) = agent.wait_for("error", 1)

        assert ("KilledBySIGKILL", "wait", "1") == (
            error.type, error.culprit, error.attributes["process.pid"],
        )  # fmt: skip


FORKS = """
import os, signal, time, qmon_sdk as qmon
qmon.init(integrations=())

with qmon.span("parent"):
    for number in range(3):
        worker = os.fork()
        if not worker:
            with qmon.span(f"worker {number}"):
                time.sleep(1.2)
                os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(worker, 0)
with qmon.span("after"):
    pass
qmon.shutdown(10)
"""


class TestForkedWorkers:
    def test_die_alone(self, agent, programs):
        programs(FORKS).finish()
        errors = agent.wait_for("error", 3)
        spans = agent.wait_for("span", 5)

        assert [f"worker {n}" for n in range(3)] == sorted(error.culprit for error in errors)
        assert ["after", "parent"] == sorted(s.name for s in spans if s.status != "error")
        assert 3 == len({error.attributes["process.pid"] for error in errors})
