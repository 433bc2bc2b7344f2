"""`qmon-agent reload`: says what changed, or what is wrong; a program may act on it."""

from __future__ import annotations

import json

import pytest
import requests

QUIET = '[http]\nlisten = "127.0.0.1:0"\n[samplers]\nenabled = false\n'
ALERT = '[[alerts]]\nname = "long queue"\nmetric = "queue"\nthreshold = "> 5"\n'


@pytest.fixture
def told(home):
    """Writes the file, and has it read again."""
    file = home.directory / "qmon.toml"
    file.write_text(QUIET)
    home.start("--config", str(file))

    def write(text, *options):
        file.write_text(text)
        return home.command("reload", *options)

    return write


class TestReload:
    def test_says_what_changed(self, told):
        answer = told(QUIET + ALERT + '[sinks.file]\npath = "/dev/null"\n')

        assert (0, "") == (answer.returncode, answer.stderr)
        assert answer.stdout == (
            "reloaded: configuration generation 2\nchanged: sinks.file, alerts\n"
        )

    def test_says_which_field_is_wrong_and_that_the_last_good_one_stays(self, told, home):
        answer = told(QUIET + "[sinks.file]\npaht = 1\n")

        assert (3, "") == (answer.returncode, answer.stdout)
        assert "the last good configuration stays" in answer.stderr
        assert "sinks.file.paht" in answer.stderr
        assert 1 == home.ask("status")["config"]["generation"]

    def test_finds_a_file_that_came_after_the_start(self, home):
        home.start()
        file = home.state / "qmon.toml"
        file.write_text(QUIET + ALERT)
        came = home.command("reload")
        file.unlink()
        gone = home.command("reload")

        assert (0, True) == (came.returncode, "changed: samplers, alerts" in came.stdout)
        assert (3, True) == (gone.returncode, f"{file}: the file is gone" in gone.stderr)
        assert str(file) == home.ask("status")["config"]["file"]

    def test_says_what_waits_for_a_restart(self, told):
        answer = told(QUIET + "[retention]\nspan = '1d'\n")

        assert 1 == answer.returncode
        assert "not in force before a restart: retention" in answer.stdout

    def test_takes_what_the_command_line_said_for_no_change(self, home):
        file = home.directory / "qmon.toml"
        file.write_text("[samplers]\nenabled = false\n")
        home.start("--config", str(file))

        assert (0, []) == (
            home.command("reload").returncode, home.ask("reload")["needs_restart"],
        )  # fmt: skip

    def test_says_it_to_programs(self, told):
        right, wrong = told(QUIET + ALERT, "--json"), told("[", "--json")

        assert (0, 3) == (right.returncode, wrong.returncode)
        assert ["alerts"] == json.loads(right.stdout)["changed"]
        assert not json.loads(wrong.stdout)["reloaded"]
        assert "not TOML" in json.loads(wrong.stdout)["problem"]

    def test_without_an_agent_says_so(self, home):
        answer = home.command("reload")

        assert 2 == answer.returncode
        assert "start it with" in answer.stderr

    def test_is_for_administrators_alone(self, told, home):
        url = home.ask("status")["url"]
        answers = {}
        for scope in ("read", "admin"):
            token = home.ask("token", "create", "--scope", scope)["token"]
            answers[scope] = requests.post(
                f"{url}/api/reload", headers={"authorization": f"Bearer {token}"}, timeout=30
            ).status_code

        assert {"read": 403, "admin": 200} == answers
