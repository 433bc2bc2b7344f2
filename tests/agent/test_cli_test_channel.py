"""`qmon-agent test-channel`, as a process: it says how it went, and keeps secrets."""

import json
import subprocess
import sys

import pytest


@pytest.fixture
def slack(services):
    service = services.SERVICES["slack"]()
    yield service
    service.close()
    assert not service.wrong


@pytest.fixture
def asked(tmp_path, slack):
    """Runs the command on a configuration; what it said and its exit code."""
    config = tmp_path / "qmon.toml"
    options = "".join(f'{name} = "{value}"\n' for name, value in slack.bot().items())
    config.write_text(f'[channels.team]\nkind = "slack"\n{options}')

    def ask(*words):
        command = [sys.executable, "-m", "qmon_agent.cli", "test-channel", *words]
        return subprocess.run(
            [*command, "--config", str(config)], capture_output=True, text=True, check=False
        )

    return ask


class TestTestChannel:
    def test_tells_beginning_and_end_of_one_incident(self, asked, slack):
        done = asked("team", "--resolved", "--json")

        assert 0 == done.returncode, done.stderr
        said = json.loads(done.stdout)
        assert (1, "team") == (said["version"], said["channel"])
        assert [("firing", "delivered"), ("resolved", "delivered")] == [
            (each["status"], each["outcome"]) for each in said["messages"]
        ]
        assert 1 == len(slack.threads)

    def test_says_what_went_wrong_and_no_secret(self, asked, slack):
        slack.answers += [(200, {}, {"ok": False, "error": f"invalid_auth {slack.TOKEN}"})]

        done = asked("team")

        assert 1 == done.returncode
        assert done.stdout.startswith("firing: not delivered in ")
        assert slack.TOKEN not in done.stdout + done.stderr

    def test_says_when_a_real_message_would_be_tried_again(self, asked, slack):
        slack.answers += [(503, {"retry-after": "90"}, b"")] * 2

        [line, then] = asked("team").stdout.splitlines()
        [told] = json.loads(asked("team", "--json").stdout)["messages"]

        assert line.endswith("HTTP 503")
        assert "  this was tried once; a real message would be tried again in about 90 s" in then
        assert ("retry", 90.0) == (told["outcome"], told["again_in_s"])

    def test_says_that_a_refusal_is_final(self, asked, slack):
        slack.answers += [(200, {}, {"ok": False, "error": "no_text"})]

        assert "nor would a real message be" in asked("team").stdout

    def test_names_a_channel_that_is_not_there(self, asked):
        done = asked("tem")

        assert 3 == done.returncode
        assert "channels.tem: no such channel; did you mean 'team'?" in done.stderr
