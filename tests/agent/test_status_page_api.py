"""The status page over HTTP and by its command, against a whole agent: who sees what of it."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import httpx
import pytest

from qmon_agent.alerting import Observed
from qmon_sdk.protocol.signals import Point

SECRET = "s3cret"
ALERT = f'[[alerts]]\nname = "{SECRET} rule"\nmetric = "temp"\nthreshold = 5\n'
PAGE = f"""
[status_page]
title = "Acme"
public = %s
[[status_page.components]]
name = "Shop"
alerts = ["{SECRET} rule"]
[[maintenance]]
name = "{SECRET} work"
matchers = ['alertname="{SECRET} rule"']
schedule = "0 3 29 2 *"
lasts = "1h"
"""
READ = "/api/status-page"


@pytest.fixture
async def ask(agent):
    """Asks, with a token of a scope or with none."""
    async with httpx.AsyncClient(base_url=agent.ready["url"]) as client:

        async def asked(scope="", path=READ, **headers):
            if scope:
                made = await agent.desk.create_token(scope, name="", ttl_s=60)
                headers["authorization"] = f"Bearer {made['token']}"
            return await client.get(path, headers=headers)

        yield asked


@pytest.fixture
def configure(agent, tmp_path):
    """Adds to the file, and lets the agent read it."""
    file = tmp_path / "state" / "qmon.toml"
    first = file.read_text()

    async def configured(text):
        file.write_text(first + text)
        answer = await agent.desk.reload()
        assert answer["reloaded"], answer

    return configured


@pytest.fixture
async def failing(agent, configure):
    """A public page, of which something fires: its secrets are in labels, names and remarks."""
    await configure(ALERT + PAGE % "true")
    alerting, now = agent.parts.judged.alerting, time.time_ns()
    labels = {"host.name": f"{SECRET}-host"}
    points = [Point(metric="temp", value=6.0, time=now, attributes=labels)]
    alerting.observe(Observed(service=f"{SECRET}-service", time=now, points=points))
    incident = next(each.incident for each in alerting.standings() if each.incident)
    asked = {"by": f"{SECRET} ann", "text": f"{SECRET} cause"}
    for deed in ("comment", "ack"):
        await agent.desk.handle(incident, deed, asked)
    return incident


class TestStatusPage:
    async def test_is_for_those_who_may_read_unless_it_is_public(self, ask, configure):
        await configure(ALERT + PAGE % "false")
        found = [(await ask(scope)).status_code for scope in ("", "ingest", "read", "operator")]
        told = await ask("read")

        assert [401, 403, 200, 200] == found
        assert "no-store" == told.headers["cache-control"]
        assert "access-control-allow-origin" not in told.headers

    async def test_that_is_none_looks_to_strangers_like_one_that_is_not_public(self, ask):
        assert [401, 404] == [(await ask(scope)).status_code for scope in ("", "read")]

    async def test_that_is_public_may_be_kept_and_read_by_every_page(self, ask, failing):
        told = await ask(origin="https://elsewhere.example")

        assert 200 == told.status_code
        assert "public, max-age=30" == told.headers["cache-control"]
        assert "*" == told.headers["access-control-allow-origin"]
        assert "set-cookie" not in told.headers

    async def test_is_in_the_shape_of_a_summary(self, ask, failing):
        told = (await ask()).json()

        assert {"page", "status", "components", "incidents", "scheduled_maintenances"} < {*told}
        assert ("Acme", "minor") == (told["page"]["name"], told["status"]["indicator"])
        assert [("Shop", "degraded_performance")] == [
            (each["name"], each["status"]) for each in told["components"]
        ]
        assert ["identified"] == [each["status"] for each in told["incidents"]]

    @pytest.mark.parametrize("scope", ["", "read"])
    async def test_tells_nothing_internal_to_anybody(self, ask, failing, scope):
        told = (await ask(scope)).text

        assert "Shop" in told
        assert SECRET not in told
        assert failing not in told

    async def test_tells_those_who_may_read_more_when_they_ask(self, ask, failing):
        more = f"{READ}?internal=true"
        told = (await ask("read", more)).json()["internal"]

        assert 401 == (await ask("", more)).status_code
        assert [failing] == told["components"][0]["incidents"]

    async def test_says_nothing_of_a_store_that_cannot_be_read(self, agent, ask, failing):
        with agent.parts.judged.state.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE transitions RENAME TO away")
        told = await ask()
        with agent.parts.judged.state.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO transitions")

        assert (503, {"error": "not known just now"}) == (told.status_code, told.json())
        assert 200 == (await ask()).status_code

    async def test_follows_the_configuration(self, ask, configure, failing):
        assert "Shop" in (await ask()).text
        await configure(ALERT + (PAGE % "true").replace("Shop", "Till"))
        assert "Till" in (await ask()).text

        await configure(ALERT)
        assert 401 == (await ask()).status_code


class TestCommands:
    @pytest.fixture
    def command(self, tmp_path):
        """Runs one beside the agent; answers its code and what it said."""

        async def run(*words):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "qmon_agent.cli", *words),
                *("--state", str(tmp_path / "state")),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said, _ = await process.communicate()
            return process.returncode, said.decode()

        return run

    async def test_say_what_is_for_everybody_and_show_it(self, command, failing):
        said = await command("comment", "--public", failing, "Orders are late.")
        code, shown = await command("status-page")
        _, told = await command("status-page", "--json")

        assert ((0, ""), 0) == (said, code)
        assert "Acme: Partially Degraded Service" == shown.splitlines()[0]
        assert "identified: Orders are late." in shown
        assert "Orders are late." == json.loads(told)["incidents"][0]["incident_updates"][0]["body"]

    async def test_say_that_there_is_no_page(self, command, agent):
        code, shown = await command("status-page")

        assert 2 == code
        assert "there is no [status_page]" in shown
