"""Today's agent over what every agent before it left: nothing is lost, nothing counted twice."""

from __future__ import annotations

import json
import tarfile
import urllib.request
from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
GENERATIONS = sorted((GOLDEN / "state").glob("*.tar.gz"))
COUNTS = "SELECT (SELECT count(*) FROM spans) AS spans, (SELECT count(*) FROM errors) AS errors"


@pytest.fixture(params=GENERATIONS, ids=lambda file: file.name)
def old(home, request):
    """A home whose usual state directory is an old one, and what was known in it."""
    with tarfile.open(request.param) as archive:
        archive.extractall(home.directory, filter="data")
    (home.directory / "state").rename(home.state)
    home.known = json.loads((home.state / "known.json").read_text())
    home.agent = home.start()
    home.until(lambda: home.ask("status")["store"]["state"] == "running")
    home.until(lambda: not home.ask("status")["store"]["lag"])
    return home


class TestOldState:
    def test_is_all_there_and_goes_on(self, old):
        status = old.ask("status")

        assert [] == status["problems"]
        assert old.known["captured"] == status["conservation"]["captured"]
        assert old.known["counts"] == old.ask("query", COUNTS)["rows"][0]

        old.send("shop")
        old.until(lambda: old.ask("status")["conservation"]["captured"] > old.known["captured"])
        assert old.ask("status")["conservation"]["adds_up"]

    def test_remembers_what_fires_and_lets_in_who_had_a_token(self, old):
        incidents = old.ask("incidents")["incidents"]
        assert [("queue is long", "firing")] == [(i["alert_name"], i["state"]) for i in incidents]

        url = old.agent.ready.split("url=")[1].split()[0]
        headers = {"authorization": f"Bearer {old.known['token']}"}
        question = urllib.request.Request(f"{url}/api/status", headers=headers)
        with urllib.request.urlopen(question) as answer:
            assert 200 == answer.status


def test_there_is_a_generation_to_start_over():
    assert GENERATIONS
