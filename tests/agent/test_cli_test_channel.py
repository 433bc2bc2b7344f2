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
        assert done.stdout.startswith("firing: refused in ")
        assert slack.TOKEN not in done.stdout + done.stderr

    def test_names_a_channel_that_is_not_there(self, asked):
        done = asked("tem")

        assert 3 == done.returncode
        assert "channels.tem: no such channel; did you mean 'team'?" in done.stderr
