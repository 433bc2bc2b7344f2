"""The agent killed again and again under load: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest
from yardstick import slowness, yardstick

from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Ledger, Resource
from qmon_sdk.protocol.signals import Span

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = int(os.environ.get("QMON_CRASH_ROUNDS", "50"))
SEED = 20_261_123
SPANS_PER_FRAME = 20
UNDER_WAY = 64
PATIENCE_S = 60.0
READY_S = 1.0
OURS = "FROM spans WHERE service = 'crashed'"
ROWS = f"SELECT count(*) n {OURS}"
DISTINCT = f"SELECT count(*) n, count(DISTINCT span_id) d {OURS}"
PARTS = [f"right(span_id, 1) = '{digit:x}'" for digit in range(16)]
pytestmark = [
    pytest.mark.timeout(120 + 10 * ROUNDS),
    pytest.mark.skipif(not hasattr(socket, "SOCK_SEQPACKET"), reason="sends by packets"),
]


def a_frame(sequence: int) -> Frame:
    first = sequence * SPANS_PER_FRAME
    spans = [
        Span(time=time.time_ns(), name="work", span_id=f"{first + n:016x}")
        for n in range(SPANS_PER_FRAME)
    ]
    return Frame(
        process=bytes(range(16)),
        sequence=sequence,
        resource=Resource(service="crashed"),
        blocks=blocks_of(spans),
        ledger=Ledger(captured={"span": sequence * SPANS_PER_FRAME}),
    )


class KilledAgent:
    """An agent with its store, and how long each start of it took."""

    def __init__(self, directory: Path) -> None:
        self.socket = directory / "agent.sock"
        # What is installed has its bytecode beside it; so must what is measured.
        left_out = ("QMON_", "PYTHONDONTWRITEBYTECODE")
        ours = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
        places = {"QMON_STATE_DIR": str(directory / "state"), "QMON_SOCKET": str(self.socket)}
        self.environment = {**ours, **places, "PYTHONPATH": str(ROOT)}
        self.starts: list[float] = []
        self.yardsticks: list[float] = []
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "qmon_agent.cli", "run", "--http", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def wait_ready(self) -> None:
        assert self.process.stdout.readline().startswith("qmon-agent ready")
        self.starts.append(time.monotonic() - self.began)

    def end(self, number: signal.Signals) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(number)
        process.communicate(timeout=PATIENCE_S)
        return process.returncode

    def ask(self, *arguments: str):
        command = [sys.executable, "-m", "qmon_agent.cli", *arguments, "--json"]
        answer = subprocess.run(
            command, check=False, capture_output=True, text=True, env=self.environment
        )
        return json.loads(answer.stdout)


@pytest.fixture
def agent(tmp_path):
    agent = KilledAgent(tmp_path)
    packages = [str(ROOT / name) for name in ("qmon_agent", "qmon_sdk")]
    compiling = [sys.executable, "-m", "compileall", "-q", *packages]
    subprocess.run(compiling, check=True, env=agent.environment)
    yield agent
    agent.end(signal.SIGKILL)


@pytest.fixture
def producer(agent, producers):
    return producers(agent.socket, a_frame, under_way=UNDER_WAY)


def test_nothing_acknowledged_is_lost_or_doubled(agent, producer, measured):
    chance = random.Random(SEED)
    for number in range(ROUNDS):
        agent.yardsticks.append(yardstick())
        agent.start()
        # Every third one dies on its way up, at a moment it cannot know either.
        if number % 3 != 2:
            agent.wait_ready()
        time.sleep(chance.uniform(0.0, 0.8))
        agent.end(signal.SIGKILL)

    agent.start()
    agent.wait_ready()
    spans = settle(agent, producer)

    assert (spans, spans) == stored(agent, at_least=spans)
    assert agent.ask("status")["conservation"]["adds_up"]
    assert 0 == agent.end(signal.SIGTERM)
    usually, at_worst = (slowness(each(agent.yardsticks)) for each in (median, max))
    measured(
        kills=ROUNDS,
        acknowledged_spans=spans,
        ready_s=f"{median(agent.starts):.2f} (most {max(agent.starts):.2f})",
        machine_slower_by=f"{usually:.2f} (most {at_worst:.2f})",
    )
    assert median(agent.starts) <= READY_S * usually
    assert max(agent.starts) <= 2 * READY_S * at_worst


def settle(agent, producer) -> int:
    """Let the producer get its last answer; how many spans it has been promised."""
    producer.stopping.set()
    producer.join(PATIENCE_S)
    assert not producer.is_alive()
    assert producer.sent == producer.acknowledged > 0
    return producer.acknowledged * SPANS_PER_FRAME


def stored(agent, *, at_least: int) -> tuple[int, int]:
    """Rows and distinct spans, once the store has read the journal."""
    before, deadline = 0, time.monotonic() + PATIENCE_S
    while (found := agent.ask("query", ROWS)["rows"][0]["n"]) < at_least:
        if found > before:  # a fast machine has sent more than is stored in a minute
            before, deadline = found, time.monotonic() + PATIENCE_S
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    # A fast machine sends millions: each is told from all others a part at a time.
    parts = [agent.ask("query", f"{DISTINCT} AND {part}")["rows"][0] for part in PARTS]
    return sum(part["n"] for part in parts), sum(part["d"] for part in parts)
