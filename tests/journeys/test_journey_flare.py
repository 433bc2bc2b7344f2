"""The support bundle: everything that helps, nothing that is secret, and never without asking."""

from __future__ import annotations

import json
import socket
import tarfile

import pytest

CONFIG = """
[samplers]
enabled = false
[channels.pager]
kind = "webhook"
url = "http://127.0.0.1:1/services/T024BE7LD/${{PAGER_PATH}}"
secrets = ["whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0"]
[channels.pager.headers]
Authorization = "Bearer literal-in-the-file"
[sinks.native]
endpoint = "http://127.0.0.1:1"
token = "file:{token}"
[heartbeat]
url = "http://127.0.0.1:1/ping/5f2c-beat"
[[probes]]
name = "db"
kind = "redis"
port = 1
password = "redis-word"
[[probes]]
name = "shop"
kind = "sql"
url = "postgresql+psycopg2://me:pass-word@127.0.0.1:1/shop"
"""
SECRETS = (
    *("path-in-the-environment", "token-in-a-file", "literal-in-the-file", "pass-word"),
    *("MTIzNDU2Nzg5", "T024BE7LD", "5f2c-beat", "redis-word", "beside-all-of-it"),
)
MEMBERS = {"about", "configuration", "status", "doctor", "stacks", "dead_letters", "layout"}


@pytest.fixture
def secret_home(home):
    """An agent that knows secrets of every kind, and has failed at using them."""
    token = home.directory / "token"
    token.write_text("token-in-a-file\n")
    home.config = home.directory / "secret.toml"
    home.config.write_text(CONFIG.format(token=token))
    given = {"PAGER_PATH": "path-in-the-environment", "OTHER_API_KEY": "beside-all-of-it"}
    home.agent = home.start("--config", str(home.config), "--no-store", **given)
    home.send("shop")
    home.made = home.ask("token", "create", "--scope", "admin")["token"]
    home.until(lambda: home.ask("status")["sinks"]["native"]["error"])
    return home


def unpacked(file):
    with tarfile.open(file) as archive:
        return {each.name: archive.extractfile(each).read().decode() for each in archive}


class TestFlare:
    def test_has_no_secret_in_it(self, secret_home):
        file = secret_home.directory / "flare.tar.gz"
        # Asked for by somebody who has only a part of the agent's environment.
        told = secret_home.ask(
            *("flare", "--yes", "--to", str(file), "--config", str(secret_home.config)),
            PAGER_PATH="path-in-the-environment",
        )

        inside = unpacked(file)
        everything = "".join(inside.values())
        assert [] == [s for s in (*SECRETS, secret_home.made) if s in everything]
        assert {f"qmon-flare/{name}.json" for name in MEMBERS} == inside.keys()
        assert {each["name"] for each in told["members"]} == {f"{name}.json" for name in MEMBERS}

    def test_has_what_helps(self, secret_home):
        file = secret_home.directory / "flare.tar.gz"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
            stranger.connect(str(secret_home.socket))
            stranger.send(b"no frame at all")
        secret_home.until(lambda: secret_home.ask("status")["dead_letters"])
        secret_home.command("flare", "--yes", "--to", str(file))

        inside = {name[11:]: json.loads(text) for name, text in unpacked(file).items()}
        assert (
            "qmon" in inside["about.json"]["packages"]
            or "msgspec" in inside["about.json"]["packages"]
        )
        assert "thread qmon-journal" in inside["stacks.json"]["stacks"]
        assert inside["dead_letters.json"][0]["reason"]
        assert "payload" not in inside["dead_letters.json"][0]
        assert any(each["name"].startswith("journal/") for each in inside["layout.json"])
        assert 0o600 == file.stat().st_mode & 0o777

    def test_shows_what_is_in_it_and_writes_nothing_before_it_is_told_to(self, home):
        file = home.directory / "flare.tar.gz"

        told = home.ask("flare", "--to", str(file))
        asked = home.command("flare", "--to", str(file))

        assert (False, False) == (told["written"], file.exists())
        assert "configuration.json" in asked.stdout
        assert f"Write {file}?" in asked.stdout

    def test_of_a_stopped_agent_has_what_is_left(self, home):
        file = home.directory / "flare.tar.gz"
        home.command("flare", "--yes", "--to", str(file))

        status = json.loads(unpacked(file)["qmon-flare/status.json"])
        assert "no agent" in status["failed"]

    def test_is_written_over_nothing(self, home):
        file = home.directory / "precious"
        file.write_text("mine")

        answer = home.command("flare", "--yes", "--to", str(file))

        assert ("mine", True) == (file.read_text(), "File exists" in answer.stderr)
