"""Each call of the agent's to its journal fails, once and for a while, under load and at a start.

What was acknowledged is stored, judged and forwarded once, and the agent goes on by itself.
A few are tried with every run; `nox -s faults`, or QMON_FAULTS=all, tries the whole.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter

import pytest

from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Ledger, Resource, encode_frame, pack_length
from qmon_sdk.protocol.signals import Point, Span
from qmon_sdk.transports.spool import Spool
from tests.crash.conftest import PATIENCE_S, wait_until
from tests.crash.failing_disk import FOREVER, FailingDisk, has_compiler

WHOLE = os.environ.get("QMON_FAULTS") == "all"
FAULTS = (
    *(("ENOSPC", call) for call in ("write", "open")),
    *(("EIO", call) for call in ("write", "fsync", "open", "rename", "read", "list", "statvfs")),
)
CASES = [(folder, *fault) for folder in ("journal", "arrivals") for fault in FAULTS]
WIDE = [("EIO", "read"), ("ENOSPC", "write"), ("EIO", "fsync"), ("EIO", "open"), ("EIO", "rename")]
QUICK = [("journal", "EIO", "read"), ("arrivals", "ENOSPC", "write")]
LASTS_S = 2.0
SPANS = 10
FRAMES = 40
HOT = 10
"""Every so many frames one has a point that a rule fires at."""
SERVICE = "watched"
OURS = f"FROM spans WHERE service = '{SERVICE}'"
CONFIG = """
[samplers]
enabled = false
[sinks.file]
path = "{path}"
files = 500
[journal]
segment_bytes = 100_000
trim_interval_s = 1.0
[[alerts]]
name = "hot"
metric = "temp"
threshold = "> 5"
"""
PROCESSED = """
[[processors]]
kind = "scrub"
"""
pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD and /proc"),
    pytest.mark.skipif(not hasattr(socket, "SOCK_SEQPACKET"), reason="sends by packets"),
]


def a_frame(number):
    now = time.time_ns()
    signals = [
        Span(time=now, name="work", span_id=f"{number * SPANS + n:016x}", trace_id="ab" * 16)
        for n in range(SPANS)
    ]
    if number % HOT == 0:
        place = {"place": f"p{number:06}"}
        signals.append(Point(time=now, metric="temp", value=9.0, attributes=place))
    return Frame(
        process=bytes(range(16)),
        sequence=number,
        resource=Resource(service=SERVICE),
        blocks=blocks_of(signals),
        ledger=Ledger(captured={"span": number * SPANS, "point": number // HOT}),
    )


class Watched:
    """An agent over a disk that fails as it is told, a sender, and what became of all it sent."""

    def __init__(self, agent, disk, producer, out):
        self.agent = agent
        self.disk = disk
        self.producer = producer
        self.out = out
        self.said = set()

    def fail(self, call, error, *, times):
        """For a while; how many calls did."""
        self.disk.fail(call, error, times=times)
        time.sleep(LASTS_S / 2)
        self.look()
        time.sleep(LASTS_S / 2)
        failed = self.disk.be_well()
        acknowledged = self.producer.acknowledged
        wait_until(lambda: self.producer.acknowledged > acknowledged, what=self.agent.log.read_text)
        return failed

    def look(self):
        """What `status` has to say, whether it is well or not."""
        answer = self.agent.command("status", "--json")
        if answer.stdout.startswith("{"):
            said = json.loads(answer.stdout)
            self.said.update(said.get("problems", [str(said)]))

    def start_over(self, call, error):
        """Killed, and started while the disk fails still; how many calls did."""
        self.agent.stop(signal.SIGKILL)
        self.disk.fail(call, error)
        starting = threading.Thread(target=self.agent.start)
        starting.start()
        wait_until(lambda: self.disk.failed or not starting.is_alive())
        time.sleep(LASTS_S)
        failed = self.disk.be_well()
        self.look()
        starting.join(PATIENCE_S)
        return failed

    def settle(self):
        """All that was sent is acknowledged; how many frames that is."""
        self.producer.stopping.set()
        self.producer.join(PATIENCE_S)
        assert not self.producer.is_alive()
        return self.producer.sent

    def stored(self):
        """Rows, and different ones; none as long as nobody answers."""
        question = f"SELECT count(*) n, count(DISTINCT span_id) d {OURS}"
        answer = self.agent.command("query", question, "--json")
        if answer.returncode:
            return 0, 0
        [row] = json.loads(answer.stdout)["rows"]
        return row["n"], row["d"]

    def lines(self):
        """In how many batches each span was forwarded; one that came twice says so by its id."""
        lines = {}
        for path in self.out.glob("signals.ndjson*"):
            for text in path.read_text().splitlines():
                line = json.loads(text)
                key = line["batch"], line["line"]
                assert line == lines.setdefault(key, line)
        spans = [line for line in lines.values() if line["kind"] == "span"]
        return Counter(line["fields"]["span_id"] for line in spans)


@pytest.fixture
def watch(absent_agent, producers, tmp_path, missing):
    """An agent with these lines in its configuration, and a disk that fails below one folder."""
    if not has_compiler():
        missing("gcc (apt-get install gcc)")

    def start(folder):
        more = PROCESSED if folder == "arrivals" else ""
        agent, out = absent_agent, tmp_path / "out"
        disk = FailingDisk(tmp_path, agent.state / folder)
        agent.options, agent.further = [], disk.environment
        agent.configure(CONFIG.format(path=out / "signals.ndjson") + more)
        agent.start()
        producer = producers(agent.socket, a_frame, under_way=32, pause_s=0.005)
        wait_until(lambda: producer.acknowledged > 50)
        return Watched(agent, disk, producer, out)

    return start


class TestAnAgent:
    @pytest.mark.parametrize(("folder", "error", "call"), CASES if WHOLE else QUICK)
    def test_keeps_judges_and_forwards_once_what_it_has_acknowledged(
        self, watch, measured, folder, error, call
    ):
        watched = watch(folder)
        failed = [watched.fail(call, error, times=times) for times in (1, FOREVER)]
        failed.append(watched.start_over(call, error))
        self.check(watched, measured, folder=folder, error=error, call=call, failed=failed)

    @pytest.mark.parametrize(("error", "call"), WIDE if WHOLE else WIDE[:1])
    def test_does_so_where_all_that_it_keeps_is_on_that_disk(self, watch, measured, error, call):
        watched = watch("")
        failed = [watched.fail(call, error, times=times) for times in (1, FOREVER)]
        watched.agent.stop(signal.SIGKILL)
        watched.agent.start()
        failed.append(watched.fail(call, error, times=FOREVER))
        self.check(watched, measured, folder="all", error=error, call=call, failed=failed)

    @staticmethod
    def check(watched, measured, **about):
        frames = watched.settle()

        measured(**about, frames=frames, said=sorted(watched.said))
        spans = frames * SPANS
        wait_until(lambda: watched.stored()[0] >= spans, what=watched.stored)
        assert (spans, spans) == watched.stored()
        wait_until(lambda: len(watched.lines()) == spans, what=lambda: len(watched.lines()))
        assert {1} == {*watched.lines().values()}
        judged(watched.agent, frames // HOT)


class TestASpool:
    @pytest.mark.parametrize("call", ["read", "open", "list", "unlink"] if WHOLE else ["read"])
    def test_is_taken_once_as_soon_as_the_disk_does(self, absent_agent, tmp_path, missing, call):
        if not has_compiler():
            missing("gcc (apt-get install gcc)")
        agent = absent_agent
        disk = FailingDisk(tmp_path, agent.state / "spool")
        agent.further = disk.environment
        agent.start()
        disk.fail(call, "EIO")
        spool = Spool(agent.state / "spool", bytes(range(16)), 1 << 24)
        for number in range(1, FRAMES + 1):
            assert spool.write(pack_length(encode_frame(a_frame(number))))
        spool.close()
        wait_until(lambda: disk.failed > 1)
        disk.be_well()

        wait_until(lambda: not agent.spool_files(), what=agent.log.read_text)
        assert FRAMES * SPANS == len({span.span_id for span in agent.signals("span")})
        assert FRAMES * SPANS == len(agent.signals("span"))


def judged(agent, incidents):
    """Books add up, nothing is wrong any more, and each hot place has fired once."""
    wait_until(lambda: agent.command("status", "--json").returncode == 0, what=lambda: words(agent))
    books = agent.ask("status")["conservation"]
    assert books["adds_up"]
    agent.stop()
    store = StateStore.open(f"sqlite:///{agent.state}/state.db", owner="me")
    fired = store.incidents.find(limit=2 * incidents)
    lives = Counter(len(store.incidents.transitions_of(each.id)) for each in fired)
    store.close()
    assert {1: incidents} == lives


def words(agent):
    answer = agent.command("status", "--json")
    return json.loads(answer.stdout)["problems"] if answer.stdout else answer.stderr
