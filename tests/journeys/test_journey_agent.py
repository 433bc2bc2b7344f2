"""An application, an agent, a question: real processes, from the first line to the last signal."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READY = re.compile(
    r"qmon-agent ready socket=(\S+) url=(http://127\.0\.0\.1:\d+) signin=\2/signin\S+"
)
PATIENCE_S = 30.0
PEACE = (0, "qmon-agent stopping\nqmon-agent stopped\n")
CONFIG = '[http]\nlisten = "127.0.0.1:0"\n'
ALERT = """
[channels.told]
kind = "file"
path = "{file}"
[[alerts]]
name = "queue is long"
system = "shop"
metric = "queue"
threshold = "> 5"
"""
APPLICATION = """
import qmon_sdk as qmon

qmon.init(service="shop")


@qmon.instrument
def checkout(number):
    return number


for number in range(100):
    checkout(number)
qmon.count("orders", 3)
qmon.gauge("queue", 7)
with qmon.span("GET /cart", kind="server"):
    pass
assert qmon.flush(10), qmon.stats()
qmon.shutdown()
"""


class Host:
    """A directory with an agent in it, and programs beside it."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.state.mkdir()
        self.config = self.state / "qmon.toml"
        self.config.write_text(CONFIG)
        self.socket = directory / "agent.sock"
        ours = {k: v for k, v in os.environ.items() if not k.startswith("QMON_")}
        places = {"QMON_STATE_DIR": str(self.state), "QMON_SOCKET": str(self.socket)}
        self.environment = {**ours, **places, "PYTHONPATH": str(ROOT)}
        self.agent: subprocess.Popen | None = None

    def start(self, *options: str, **environment: str) -> str:
        """Start the agent; answers its first line."""
        self.agent = subprocess.Popen(
            [sys.executable, "-m", "qmon_agent.cli", "run", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **environment},
        )
        return self.agent.stdout.readline().rstrip("\n")

    def stop(self) -> tuple[int, str]:
        """End it in peace; its exit code, and all it said after its first line."""
        self.agent.send_signal(signal.SIGTERM)
        output, errors = self.agent.communicate(timeout=PATIENCE_S)
        return self.agent.returncode, output + errors

    def command(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "qmon_agent.cli", *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            env=self.environment,
        )

    def ask(self, *arguments: str):
        """What a command answers with `--json`."""
        return json.loads(self.command(*arguments, "--json").stdout)

    def application(self, source: str = APPLICATION) -> None:
        subprocess.run([sys.executable, "-c", source], check=True, env=self.environment)

    def count(self, table: str) -> int:
        answer = self.ask("query", f"SELECT count(*) AS n FROM {table} WHERE service = 'shop'")
        return answer["rows"][0]["n"]


@pytest.fixture
def host(tmp_path):
    host = Host(tmp_path)
    yield host
    if host.agent is not None and host.agent.poll() is None:
        host.agent.kill()
        host.agent.communicate()


def until(is_so, *, what="it"):
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.1)


class TestAgent:
    def test_shows_what_an_application_did(self, host):
        ready = host.start()
        host.application()
        until(lambda: host.count("spans") == 101, what="storing")

        row = host.ask("query", "SELECT name, kind FROM spans WHERE kind = 'server'")["rows"][0]

        assert READY.fullmatch(ready)
        assert {"name": "GET /cart", "kind": "server"} == row
        assert PEACE == host.stop()

    def test_says_that_its_books_add_up(self, host):
        host.start()
        host.application()
        until(lambda: host.count("spans") == 101, what="storing")

        books = host.ask("status")["conservation"]

        assert books["adds_up"]
        assert books["captured"] == books["stored"] + books["dropped"] + books["pending"]

    def test_makes_a_system_of_whoever_speaks_first(self, host):
        host.start()
        host.application()
        until(lambda: host.ask("query", "SELECT name FROM metrics WHERE name = 'orders'")["rows"])

        [system] = host.ask("query", "SELECT * FROM systems WHERE name = 'shop'")["rows"]

        assert "sdk" == system["created_by"]

    def test_tells_a_channel_what_fires(self, host, tmp_path):
        told = tmp_path / "told.ndjson"
        host.config.write_text(CONFIG + ALERT.format(file=told))
        host.start()
        host.application()

        until(lambda: told.exists() and "queue is long" in told.read_text(), what="an alert")

        [incident] = host.ask("incidents")["incidents"]
        assert ("firing", 7.0) == (incident["state"], incident["value"])

    def test_answers_for_a_stopped_one(self, host):
        host.start()
        host.application()
        until(lambda: host.count("spans") == 101, what="storing")
        host.stop()

        assert 101 == host.count("spans")
        assert 2 == host.command("status").returncode

    def test_runs_on_plain_asyncio_too(self, host):
        ready = host.start(QMON_NO_UVLOOP="1")
        host.application()
        until(lambda: host.count("spans") == 101, what="storing")

        assert READY.fullmatch(ready)
        assert PEACE == host.stop()

    def test_without_a_store_keeps_everything_for_the_next_one(self, host):
        host.start("--no-store")
        host.application()
        refused = host.command("query", "SELECT 1")
        host.stop()
        host.start()
        until(lambda: host.count("spans") == 101, what="storing")

        assert (2, True) == (refused.returncode, "--no-store" in refused.stderr)


class TestSecondAgent:
    def test_is_refused_on_the_same_state(self, host):
        host.start()

        second = host.command("run", "--socket", f"{host.socket}.2", "--http", "127.0.0.1:0")

        assert 3 == second.returncode
        assert f"process {host.agent.pid}, which is running" in second.stderr
        assert PEACE == host.stop()


class TestHangup:
    def test_takes_up_the_new_configuration(self, host):
        host.start()
        host.config.write_text(CONFIG + '[sources.tcp]\nenabled = true\nlisten = "127.0.0.1:0"\n')
        host.agent.send_signal(signal.SIGHUP)

        until(lambda: host.ask("status")["config"]["generation"] == 2, what="reloading")

        assert "tcp" in host.ask("status")["sources"]

    def test_keeps_the_last_good_one_and_says_so(self, host):
        host.start()
        host.config.write_text("[htp]\n")
        host.agent.send_signal(signal.SIGHUP)

        until(lambda: host.ask("status")["config"]["error"], what="reading")

        status = host.ask("status")
        wrong = f"{host.config}: htp: unknown key; did you mean 'http'?"
        assert (1, wrong) == (status["config"]["generation"], status["config"]["error"])
        assert 1 == host.command("status").returncode

    def test_is_forgiven_once_the_file_is_right_again(self, host):
        host.start()
        host.config.write_text("not toml")
        host.agent.send_signal(signal.SIGHUP)
        until(lambda: host.ask("status")["config"]["error"], what="reading")
        host.config.write_text(CONFIG)
        host.agent.send_signal(signal.SIGHUP)

        until(lambda: host.ask("status")["well"], what="getting well")

        code, said = host.stop()
        first, second, *_ = said.splitlines()
        assert (0, "qmon-agent reloaded: configuration generation 2") == (code, second)
        kept = (
            f"qmon-agent not reloaded, the last good configuration stays: {host.config}: not TOML"
        )
        assert kept in first


class TestSystemd:
    def test_is_told_ready_alive_and_stopping(self, host, tmp_path):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(tmp_path / "notify"))
            systemd.settimeout(PATIENCE_S)
            host.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="100000")
            told = [systemd.recv(100) for _ in range(3)]
            host.stop()
            systemd.setblocking(False)
            told.append(last(systemd))

        assert {b"READY=1", b"WATCHDOG=1"} == set(told[:3])
        assert b"STOPPING=1" == told[3]


def last(channel):
    """The last of the messages that wait."""
    message = b""
    try:
        while True:
            message = channel.recv(100)
    except BlockingIOError:
        return message


class TestConfiguration:
    def test_that_is_wrong_is_named_and_ends_with_3(self, host):
        host.config.write_text("[sources.unix]\nmod = '0600'\n")

        wrong = host.command("run")

        assert (3, True) == (wrong.returncode, "sources.unix.mod" in wrong.stderr)
        assert 3 == host.command("check-config").returncode

    def test_with_an_address_in_use_is_named(self, host):
        url = READY.fullmatch(host.start())[2]

        other = host.command("check-config")
        second = "--state", f"{host.state}2", "run", "--http", url[7:]
        taken = host.command(*second)
        beside = host.command(*second, "--socket", f"{host.state}2.sock")

        assert (0, 3, 3) == (other.returncode, taken.returncode, beside.returncode)
        assert "is in use by another agent; use another --socket" in taken.stderr
        assert "in use; use another --http" in beside.stderr

    def test_shows_references_and_never_secrets(self, host):
        host.environment["PAGER"] = "hush"
        host.config.write_text('[channels.pager]\nkind = "webhook"\nurl = "http://h/${PAGER}"\n')

        shown = host.command("check-config", "--show-origin").stdout

        assert "${PAGER}" in shown
        assert "hush" not in shown


class TestTokens:
    def test_are_made_shown_once_and_revoked(self, host):
        host.start()
        made = host.ask("token", "create", "--scope", "read", "--ttl", "1h")

        listed = host.ask("token", "list")["tokens"]
        revoked = host.command("token", "revoke", str(made["id"]))

        assert [made["id"]] == [token["id"] for token in listed]
        assert made["token"] not in json.dumps(listed)
        assert f"revoked: token {made['id']} (scope read)\n" == revoked.stdout
        assert (0, 1) == (
            revoked.returncode,
            host.command("token", "revoke", str(made["id"])).returncode,
        )


class TestDoctor:
    def test_finds_nothing_wrong_with_a_running_agent(self, host):
        host.start()

        examined = host.ask("doctor")

        assert examined["ok"], examined

    def test_says_how_to_start_one(self, host):
        examined = host.command("doctor")

        assert (1, True) == (examined.returncode, "qmon-agent run" in examined.stdout)
