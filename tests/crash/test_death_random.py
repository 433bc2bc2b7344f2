"""Programs killed at any moment under load: what had returned is stored, exactly once."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
import time
from collections import Counter

import pytest

KILLS = 15
AT_ONCE = 3
SEED = 20_261_126
COUNTS = struct.Struct("<QQ")

# After each call it notes, in memory that outlives it, that the call has returned.
LOAD = """
import mmap, os, sys, time
import qmon_sdk as qmon

qmon.init(integrations=(), flight_dir=os.environ.get("FLIGHT", ""))
with open(sys.argv[1], "r+b") as file:
    counts = memoryview(mmap.mmap(file.fileno(), 16)).cast("Q")

@qmon.instrument
def work(number):
    return number

@qmon.instrument
def failing():
    raise ValueError

while True:
    for number in range(60):
        work(number)
        counts[0] += 1
    with qmon.span("said", number=counts[0]):
        pass
    counts[0] += 1
    try:
        failing()
    except ValueError:
        counts[0] += 1
    for _ in range(3):
        qmon.log.info("line", number=counts[1])
        counts[1] += 1
    time.sleep(0.003)
"""


class Victim:
    """A program under load, and what it has noted."""

    def __init__(self, agent, notes, **environment):
        notes.write_bytes(bytes(COUNTS.size))
        self.notes = notes
        self.service = notes.name
        self.process = subprocess.Popen(
            [sys.executable, "-c", LOAD, str(notes)],
            env={**agent.environment(), "QMON_SERVICE": self.service, **environment},
            cwd=agent.socket.parent,  # not the source tree, in which nobody compiled anything
        )

    @property
    def counts(self):
        return COUNTS.unpack(self.notes.read_bytes())

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(params=["pure", "accelerated"])
def path(request, missing):
    if request.param == "pure":
        return {"QMON_PURE_PYTHON": "1"}
    try:
        import qmon_sdk._speedups  # noqa: F401 - only whether it is there
    except ImportError:
        missing("the accelerator: build it with a compiler at hand")
    return {}


class TestKillsAtRandom:
    def test_cost_nothing_that_had_returned(self, path, agent, tmp_path, measured):
        chance, victims = random.Random(SEED), []
        for first in range(0, KILLS, AT_ONCE):
            group = [
                Victim(agent, tmp_path / f"victim{first + number}", **path)
                for number in range(AT_ONCE)
            ]
            for victim in group:
                agent.until(lambda victim=victim: victim.counts[0] > 0)
                time.sleep(chance.random() / 2)
                victim.kill()
            victims += group
        agent.until(lambda: all(len(agent.signals("error", v.service)) for v in victims))
        lost = [found for victim in victims if (found := amiss(agent, victim))]
        spans, logs = (sum(counts) for counts in zip(*(v.counts for v in victims), strict=True))
        measured(kills=len(victims), spans=spans, logs=logs, amiss=len(lost))

        assert not lost


def amiss(agent, victim):
    """What is not as it was: nothing, if each span and log is there once and none is missing."""
    spans, logs = victim.counts
    stored = [s for s in agent.signals("span", victim.service) if "qmon.open" not in s.attributes]
    lines = [log.attributes["number"] for log in agent.signals("log", victim.service)]
    doubled = sum(
        (Counter(span.span_id for span in stored) - Counter({s.span_id for s in stored})).values()
    )
    doubled += len(lines) - len(set(lines))
    # A call may have returned, and the kill have come before it was noted.
    span_gap, log_gap = len(stored) - spans, len(lines) - logs
    errors = len(agent.signals("error", victim.service))
    if doubled or span_gap not in {0, 1} or log_gap not in {0, 1} or errors != 1:
        return {"spans": span_gap, "logs": log_gap, "doubled": doubled, "errors": errors}
    return None


class TestAgentKilledInTheMiddle:
    def test_leaves_the_rest_to_the_next(self, absent_agent, tmp_path, measured):
        """It dies at random moments after the program, and is started again."""
        chance, agent = random.Random(SEED), absent_agent.start()
        lost = []
        for number in range(6):
            victim = Victim(agent, tmp_path / f"orphan{number}")
            agent.until(lambda victim=victim: victim.counts[0] > 5_000)
            victim.kill()
            time.sleep(chance.random() / 20)
            agent.stop(9)
            agent.start()
            agent.until(lambda v=victim: agent.signals("error", v.service))
            lost += [found] if (found := amiss(agent, victim)) else []
        measured(kills=6, amiss=len(lost))

        assert not lost


class TestTwoAgents:
    def test_never_take_the_same_ring(self, make_agent, tmp_path, measured):
        """Both look into one folder, whichever of them the program speaks to."""
        folder = tmp_path / "shared"
        folder.mkdir(mode=0o700)
        agents = [make_agent(), make_agent()]
        for agent in agents:
            agent.configure(f'[sources.flight]\nfolders = ["{folder}"]\ninterval_s = 0.05\n')
            agent.start()
        flies = {"FLIGHT": str(folder)}
        victims = [Victim(agents[n % 2], tmp_path / f"both{n}", **flies) for n in range(6)]
        for victim in victims:
            agents[0].until(lambda victim=victim: victim.counts[0] > 0)
            victim.kill()
        agents[0].until(lambda: not [*folder.glob("*.ring")])
        deaths = [[len(a.signals("error", v.service)) for a in agents] for v in victims]
        measured(deaths=len(deaths), told_by_the_first=sum(told for told, _ in deaths))

        assert [1] * len(victims) == [sum(each) for each in deaths]
