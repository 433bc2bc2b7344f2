"""Legal holds over HTTP: in force when they are answered, and again after a restart."""

import asyncio
import sys

import pytest

ASKED = {"kinds": ["span"], "user": "ann", "since": "2026-01-01", "reason": "case 7"}


class TestHolds:
    async def test_are_made_seen_and_removed(self, ask):
        status, made = await ask("POST", "/api/holds", json=ASKED)
        _, seen = await ask("GET", "/api/holds", "operator")
        _, removed = await ask("DELETE", f"/api/holds/{made['hold']['id']}?author=eve")
        _, after = await ask("GET", "/api/holds")
        _, ever = await ask("GET", "/api/holds?removed=true")

        assert (status, seen["holds"]) == (201, [made["hold"]])
        assert made["hold"]["since"] == 1_767_225_600 * 10**9
        assert removed["removed"]
        assert after["holds"] == []
        assert ever["holds"] == [removed["hold"]]
        assert ("eve", None) == (removed["hold"]["removed_by"], made["hold"]["removed_at"])
        assert removed["hold"]["removed_at"] >= made["hold"]["created_at"]

    async def test_begin_so_long_ago_as_is_said(self, ask):
        _, made = await ask("POST", "/api/holds", json=ASKED | {"since": "2h"})

        age = made["hold"]["created_at"] - made["hold"]["since"]
        assert 7_200 <= age / 10**9 < 7_260

    async def test_are_no_business_of_readers(self, ask):
        status, _ = await ask("GET", "/api/holds", "read")

        assert status == 403

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"kinds": ["spam"]}, "kinds: no kind 'spam'; did you mean 'span'?"),
            ({"kinds": ["nope"]}, "kinds: no kind 'nope'; there are span, error, event, "),
            ({"reason": " "}, "reason: why"),
            ({"since": "soon"}, "since: 'soon' is no date"),
            ({"until": "2025-01-01"}, "until: has to be behind `since`"),
        ],
    )
    async def test_say_what_is_wrong_with_them(self, ask, change, words):
        status, answer = await ask("POST", "/api/holds", json=ASKED | change)

        assert status == 400
        assert words in answer["error"]
        assert answer["field"] == words.partition(":")[0]

    async def test_are_managed_by_the_command(self, agent, tmp_path):
        async def run(*words):
            command = [sys.executable, "-m", "qmon_agent.cli", "hold", *words]
            place = ("--state", str(tmp_path / "state"))
            process = await asyncio.create_subprocess_exec(
                *command, *place, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
            )
            out, _ = await process.communicate()
            return process.returncode, out.decode()

        code, made = await run("add", "--kind", "log", "--service", "shop", "--reason", "case 7")
        _, listed = await run("list")
        removed, _ = await run("remove", made.strip(), "--author", "eve")
        _, ever = await run("list", "--all")
        again, said = await run("remove", made.strip())

        assert (code, removed, again) == (0, 0, 1)
        assert "case 7" in listed
        assert "removed_by" in ever
        assert "eve" in ever
        assert "no hold" in said
