"""The command line among several agents, hung ones and none: who answers, what stays private."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time

from yardstick import slowness, yardstick

from qmon_agent.cli._control import Control

PATIENCE_S = 30.0
SLOW = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range % 7 = b.range % 5"


class TestWhoAnswers:
    def test_is_never_another_agent_than_the_one_named(self, home):
        home.start()
        elsewhere = str(home.directory / "elsewhere")

        for command in (["status"], ["incidents"], ["token", "list"], ["query", "SELECT 1"]):
            answer = home.command(*command, "--state", elsewhere)
            assert 2 == answer.returncode
            assert f"no agent and no state in {elsewhere}" in answer.stderr

    def test_is_the_agent_of_the_socket_in_the_environment(self, home):
        second = str(home.directory / "second.sock")
        first = home.start()
        other = home.start("--socket", second, "--state", str(home.directory / "other"))

        assert first.pid == home.ask("status")["pid"]
        assert other.pid == home.ask("status", QMON_SOCKET=second, QMON_STATE_DIR="")["pid"]
        assert other.pid == home.ask("status", QMON_STATE_DIR=str(home.directory / "other"))["pid"]

    def test_is_nobody_where_the_socket_named_has_no_agent(self, home):
        home.start()

        alone = {"QMON_SOCKET": str(home.directory / "no.sock"), "QMON_STATE_DIR": ""}
        answer = home.command("query", "SELECT 1", **alone)

        assert (2, True) == (answer.returncode, "start it with" in answer.stderr)

    def test_is_the_directory_of_an_agent_that_was_killed_and_not_who_took_its_place(self, home):
        mine = str(home.directory / "mine")
        home.start("--state", mine).kill()
        home.agents[0].wait()
        home.start()

        answer = home.ask("query", "SELECT count(*) AS n FROM spans", "--state", mine)

        assert [{"n": 0}] == answer["rows"]
        assert 2 == home.command("status", "--state", mine).returncode


class TestHungAgent:
    def test_is_told_from_a_slow_one_in_seconds(self, home):
        agent = home.start()
        home.until(lambda: home.command("status").returncode == 0)
        agent.send_signal(signal.SIGSTOP)
        began = time.monotonic()

        answer = home.command("status")

        assert (2, True) == (answer.returncode, "has not answered for 5 s" in answer.stderr)
        assert time.monotonic() - began < 15 * slowness(yardstick())


class TestStatus:
    def test_is_well_whenever_it_is_asked_under_load(self, home):
        home.start()
        busy = 'import qmon_sdk as q, time; q.init(service="shop")\n'
        busy += "while True:\n  [q.track('step') for _ in range(40)]; time.sleep(.01)"
        load = subprocess.Popen([sys.executable, "-c", busy], env=home.environment)
        until, verdicts = time.monotonic() + 12, []
        control = Control(home.directory / "control.sock")
        try:
            while time.monotonic() < until or len(verdicts) < 100:
                verdicts.append(control.get("/api/status")["problems"])
        finally:
            load.kill()
            load.wait()

        assert [] == [verdict for verdict in verdicts if verdict]


class TestFiles:
    def test_are_for_their_owner_only(self, home):
        home.state.mkdir(mode=0o755)
        home.start()
        home.send("shop")
        home.until(lambda: home.ask("query", "SELECT * FROM points WHERE service = 'shop'")["rows"])

        kept = [home.state, *home.state.rglob("*")]
        wider = [path for path in kept if path.lstat().st_mode & 0o077]

        assert [] == [path for path in wider if not stat.S_ISSOCK(path.lstat().st_mode)]

    def test_spooled_before_there_was_an_agent_are_too(self, home):
        state = home.directory / "made" / "by" / "the" / "sdk"
        home.send("shop", QMON_STATE_DIR=str(state))

        assert [*(state / "spool").iterdir()]
        assert not [p for p in [state, *state.rglob("*")] if p.lstat().st_mode & 0o077]


class TestStoppedAgent:
    def test_answers_within_the_limits_of_its_configuration(self, home):
        state = home.directory / "state"
        state.mkdir()
        (state / "qmon.toml").write_text("[store]\nquery_rows = 3\nquery_timeout_s = 0.5\n")
        agent = home.start("--state", str(state))
        agent.send_signal(signal.SIGTERM)
        agent.wait(PATIENCE_S)

        many = home.command("query", "SELECT * FROM range(9)", "--state", str(state), "--json")
        slow = home.command("query", SLOW, "--state", str(state))

        assert 3 == len(json.loads(many.stdout)["rows"])
        assert (2, True) == (slow.returncode, "longer than 0.5 s" in slow.stderr)
