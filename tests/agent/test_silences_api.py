"""Silences over HTTP: by whoever may, and on disk before the answer."""

from __future__ import annotations

import asyncio
import sys

import pytest

ASKED = {"matchers": "service=shop", "for_s": 3600, "author": "ann", "comment": "moving"}
USUAL = 'alertname="disk nearly full"'


class TestSilences:
    async def test_are_made_seen_and_ended(self, ask):
        _, made = await ask("POST", "/api/silences", json=ASKED)
        _, seen = await ask("GET", "/api/silences", "read")
        name = made["silence"]["id"]
        _, ended = await ask("DELETE", f"/api/silences/{name}")
        _, after = await ask("GET", "/api/silences", "read")

        assert [("active", '{service="shop"}', "ann")] == [
            (each["state"], each["matchers"], each["author"]) for each in seen["silences"]
        ]
        assert ended["expired"]
        assert ["expired"] == [each["state"] for each in after["silences"]]

    async def test_are_on_disk_before_the_answer(self, ask, agent):
        _, made = await ask("POST", "/api/silences", json=ASKED)
        kept = agent.parts.judged.state.silences.lasting()

        assert [made["silence"]["id"]] == [each.id for each in kept]

    @pytest.mark.parametrize("scope", ["read", "ingest"])
    async def test_are_made_by_operators_only(self, ask, scope):
        assert 403 == (await ask("POST", "/api/silences", scope, json=ASKED))[0]
        assert 403 == (await ask("DELETE", "/api/silences/x", scope))[0]

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"matchers": "service"}, "is no matcher"),
            ({"matchers": ""}, "at least one matcher"),
            ({"matchers": 'a=~"("'}, "is no regular expression"),
            ({"for_s": 0}, "for_s"),
            ({"for_s": 1e12}, "for_s"),
            ({"in_s": -1}, "in_s"),
            ({"until": "tomorrow"}, "until"),
        ],
    )
    async def test_say_what_is_wrong(self, ask, change, reason):
        status, said = await ask("POST", "/api/silences", json={**ASKED, **change})

        assert 400 == status
        assert reason in said["error"]

    async def test_of_alerts_that_are_not_there_are_made_with_a_warning(self, ask):
        _, made = await ask(
            "POST", "/api/silences", json={**ASKED, "matchers": 'alertname="disc nearly full"'}
        )
        _, other = await ask("POST", "/api/silences", json={**ASKED, "matchers": USUAL})

        assert "active" == made["silence"]["state"]
        assert ["there is no alert 'disc nearly full'; did you mean 'disk nearly full'?"] == made[
            "warnings"
        ]
        assert "warnings" not in other

    async def test_of_alerts_that_are_not_there_are_warned_of_by_the_command(self, agent, tmp_path):
        words = ["silence", "add", "alertname=nobody", "--state", str(tmp_path / "state")]
        command = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "qmon_agent.cli", *words],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        made, said = await command.communicate()

        assert 0 == command.returncode
        assert made.strip()
        assert b"qmon-agent: warning: there is no alert 'nobody'" in said

    async def test_that_are_not_there_are_not_found(self, ask):
        assert 404 == (await ask("DELETE", "/api/silences/none"))[0]
