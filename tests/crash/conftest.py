"""A real agent and real programs, with everything they may do to each other."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, OrderedDict
from pathlib import Path

import pytest
from ports import free_port

from qmon_agent.journal import JournalReader
from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.flight import agent_of, folder_of
from qmon_sdk.protocol.frames import decode_ack, decode_frame, encode_frame, pack_length

SERVICE = "watched"
READY = "qmon-agent ready"
# A busy machine starts slowly; only a failing test ever waits this long.
PATIENCE_S = 60.0
LOOKS = 20
TRIES = 5


class Agent:
    """`qmon-agent run` as a process of its own; its journal says what it has."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.socket = directory / "agent.sock"
        self.log = directory / "agent.log"
        self.http_port, self.tcp_port = free_port(), free_port()
        self.process: subprocess.Popen | None = None
        self.options = ["--no-store"]
        self.further: dict[str, str] = {}

    def start(self) -> Agent:
        """Start it and wait until it says that it is ready."""
        command = [sys.executable, "-m", "qmon_agent.cli", "run", *self.options]
        places = ["--state", str(self.state), "--socket", str(self.socket)]
        with self.log.open("a") as log:
            already = log.tell()
            self.process = subprocess.Popen(
                [*command, *places, "--http", f"127.0.0.1:{self.http_port}"],
                stdout=log,
                stderr=log,
                env=environment() | self.further,
            )
        wait_until(lambda: READY in self.log.read_text()[already:], what=self.log.read_text)
        return self

    def configure(self, text: str) -> None:
        """Write its configuration, before it starts."""
        self.state.mkdir(exist_ok=True)
        (self.state / "qmon.toml").write_text(text)

    def ask(self, *words: str):
        """Run one of its commands; returns what that says as JSON.

        It is asked again where a busy machine is too slow for the patience of a command.
        """
        for _ in range(TRIES):
            done = self.command(*words, "--json")
            if "has not answered" not in done.stdout + done.stderr:
                break
        done.check_returncode()
        return json.loads(done.stdout)

    def command(self, *words: str):
        """Run one of its commands, to be looked at as it is."""
        command = [sys.executable, "-m", "qmon_agent.cli", *words]
        return subprocess.run(
            command,
            env=self.environment(),
            check=False,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_S,
        )

    def environment(self) -> dict[str, str]:
        """What a program needs to find this agent."""
        places = {"QMON_SOCKET": str(self.socket), "QMON_STATE_DIR": str(self.state)}
        return {**environment(), **places, "QMON_SERVICE": SERVICE}

    def acknowledge(self, frames) -> None:
        """Hand over frames of one process, each until it is acknowledged."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(2 * PATIENCE_S)
            connection.connect(str(self.socket))
            for frame in frames:
                connection.sendall(pack_length(encode_frame(frame)))
                acknowledged = ()
                while frame.sequence not in acknowledged:
                    acknowledged = decode_ack(connection.recv(1 << 20)[4:]).sequences

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it by a signal and wait until it is gone."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def frames(self, service: str = SERVICE):
        """Every frame of a service that the journal holds."""
        journal = self.state / "journal"
        if not journal.exists():
            return []
        reader = JournalReader(journal)
        found = []
        while records := reader.read():
            found += [decode_frame(record.payload) for record in records]
        reader.close()
        return [frame for frame in found if frame.resource.service == service]

    def signals(self, kind: str, service: str = SERVICE):
        """Every signal of a kind that the journal holds, doubled if it holds it twice."""
        blocks = (block for frame in self.frames(service) for block in frame.blocks)
        return [row for block in blocks if block.kind == kind for row in rows_of(block)]

    def wait_for(self, kind: str, count: int, is_wanted=lambda _: True):
        """Every signal of a kind once there are `count`, more included; fewer are an error."""

        def found():
            return [signal for signal in self.signals(kind) if is_wanted(signal)]

        wait_until(
            lambda: len(found()) >= count,
            what=lambda: f"{len(found())} of {count} {kind}s\n{self.log.read_text()}",
        )
        return found()

    def forget_rings(self) -> None:
        """Take away what programs left in memory that no agent came for."""
        for path in Path(folder_of(str(self.socket), os.getuid())).glob(
            f"{agent_of(str(self.socket))}.*"
        ):
            path.unlink()

    @staticmethod
    def until(condition) -> None:
        wait_until(condition)

    def spool_files(self) -> list[Path]:
        return sorted((self.state / "spool").glob("*.frames"))

    def books(self, service: str = SERVICE) -> tuple[Counter, Counter]:
        """What all processes of a service say they captured and dropped, by their last word."""
        last = {}
        for frame in self.frames(service):
            if frame.ledger and frame.sequence >= last.get(frame.process, frame).sequence:
                last[frame.process] = frame
        captured, dropped = Counter(), Counter()
        for frame in last.values():
            captured.update(frame.ledger.captured)
            dropped.update(frame.ledger.dropped)
        return captured, dropped


class Program:
    """A Python program under watch, in a process of its own; its last line of output is JSON."""

    def __init__(self, source: str, agent: Agent, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", source, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=agent.environment(),
            cwd=agent.socket.parent,  # not the source tree, in which nobody compiled anything
        )

    def say(self, line: str = "") -> None:
        """Send a line to its standard input."""
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        """Wait for its next line."""
        return self.process.stdout.readline().rstrip("\n")

    def finish(self, *, expect: int = 0):
        """Wait for its end; returns what its last line says, if it said anything."""
        output, errors = self.process.communicate(timeout=PATIENCE_S)
        self.ended = time.monotonic()
        assert (expect, "") == (self.process.returncode, errors)
        lines = output.splitlines()
        return json.loads(lines[-1]) if lines else None


class Producer(threading.Thread):
    """Sends frames without end, again after every break, and knows which were acknowledged.

    `frame_of` makes the frame of a sequence number; `under_way` is how many may be open.
    """

    def __init__(self, path: Path, frame_of, *, under_way: int, pause_s: float = 0.0) -> None:
        super().__init__(daemon=True)
        self.acknowledged = 0
        self.sent = 0
        self.stopping = threading.Event()
        self._path = path
        self._frame_of = frame_of
        self._under_way = under_way
        self._pause_s = pause_s
        self._open: OrderedDict[int, bytes] = OrderedDict()

    def run(self) -> None:
        while not (self.stopping.is_set() and not self._open):
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
                    connection.settimeout(5)
                    connection.connect(str(self._path))
                    self._converse(connection)
            except OSError:
                time.sleep(0.01)

    def _converse(self, connection: socket.socket) -> None:
        """All that is open once more, byte for byte; then new ones, as many as may be open."""
        for message in self._open.values():
            connection.sendall(message)
        while self._open or not self.stopping.is_set():
            while len(self._open) < self._under_way and not self.stopping.is_set():
                connection.sendall(self._next())
                if self._pause_s:
                    time.sleep(self._pause_s)
            self._settle(connection.recv(1 << 20))

    def _next(self) -> bytes:
        self.sent += 1
        self._open[self.sent] = pack_length(encode_frame(self._frame_of(self.sent)))
        return self._open[self.sent]

    def _settle(self, message: bytes) -> None:
        if not message:
            raise ConnectionResetError
        answer = decode_ack(message[4:])
        assert not answer.rejected
        for sequence in answer.sequences:
            self.acknowledged += self._open.pop(sequence, None) is not None


def environment() -> dict[str, str]:
    """This process's own, less what would lead to other agents."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("QMON_") or name == "QMON_PURE_PYTHON"
    }


def wait_until(condition, *, what=lambda: "", seconds: float = PATIENCE_S) -> None:
    """Look again and again; fails with what `what` says after `seconds`, and some looks at least:
    on a busy machine the first one may take that long.
    """
    deadline, looks = time.monotonic() + seconds, 0
    while not condition():
        looks += 1
        assert looks < LOOKS or time.monotonic() < deadline, what()
        time.sleep(0.02)


@pytest.fixture(scope="module")
def make_agent(tmp_path_factory):
    """Make agents for all tests of a file, which it starts by itself."""
    made = []

    def make(options=("--no-store",)):
        made.append(Agent(tmp_path_factory.mktemp("agent")))
        made[-1].options = list(options)
        return made[-1]

    yield make
    for agent in made:
        agent.stop(signal.SIGKILL)
        agent.forget_rings()


@pytest.fixture
def absent_agent(tmp_path):
    """An agent that has not been started."""
    agent = Agent(tmp_path)
    yield agent
    agent.stop(signal.SIGKILL)
    agent.forget_rings()


@pytest.fixture
def agent(absent_agent):
    """An agent that listens."""
    return absent_agent.start()


@pytest.fixture
def producers():
    """Start producers: `producers(path, frame_of, under_way=64)`; they stop with the test."""
    started = []

    def start(*arguments, **options) -> Producer:
        started.append(Producer(*arguments, **options))
        started[-1].start()
        return started[-1]

    yield start
    for producer in started:
        producer.stopping.set()


@pytest.fixture
def programs(absent_agent):
    """Start programs under watch: `programs(source, *arguments)`; what still runs is killed."""
    started = []

    def start(source: str, *arguments: object) -> Program:
        started.append(Program(source, absent_agent, *arguments))
        return started[-1]

    yield start
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
            program.process.communicate()


@pytest.fixture
def measured(record_property, capsys):
    """Print what was measured where everybody sees it, and keep it in the test report."""

    def say(**figures: object) -> None:
        for name, figure in figures.items():
            record_property(name, figure)
        with capsys.disabled():
            print(
                "\n    measured:", ", ".join(f"{name} {value}" for name, value in figures.items())
            )

    return say
