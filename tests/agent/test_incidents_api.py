"""What one does with incidents over HTTP and by commands, against a whole agent."""

from __future__ import annotations

import asyncio
import sys
import time

import msgspec
import pytest

from qmon_agent.alerting import Observed
from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.silences import Silence
from qmon_agent.settings import AlertOptions
from qmon_agent.settings.routing import RoutingOptions
from qmon_sdk.protocol.signals import Point

HOUR_NS = 3_600 * 10**9


@pytest.fixture
def incident(agent):
    """The id of one that fires."""
    alerting = agent.parts.judged.alerting
    alerting.declare([AlertOptions(name="hot", metric="temp", threshold=5)])
    now = time.time_ns()
    points = [Point(metric="temp", value=6.0, time=now)]
    alerting.observe(Observed(service="shop", time=now, points=points))
    return next(each.incident for each in alerting.standings() if each.incident)


@pytest.fixture
def command(tmp_path):
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


class TestIncidents:
    async def test_show_who_looks_after_them_and_all_that_happened(self, ask, incident):
        asked = {"by": "ann", "text": "on it", "for_s": 60}
        status, done = await ask("POST", f"/api/incidents/{incident}/ack", json=asked)
        _, shown = await ask("GET", f"/api/incidents/{incident}", "read")
        _, listed = await ask("GET", "/api/incidents", "read")
        told = shown["incident"]

        assert (200, "ann") == (status, done["handling"]["acked_by"])
        assert ["ann"] == [each["acked_by"] for each in listed["incidents"]]
        assert [("ack", "ann", "on it")] == [
            (each["kind"], each["author"], each["text"]) for each in told["remarks"]
        ]
        assert ["breach", "acknowledged"] == [each["reason"] for each in told["transitions"]]

    async def test_say_what_keeps_people_from_hearing(self, agent, ask, incident, command):
        muting = agent.parts.judged.alerting.muting
        silence = Silence(
            id="",
            starts_at=1,
            matchers=parse_matchers("alertname=hot"),
            ends_at=time.time_ns() + HOUR_NS,
        )
        name = muting.add(silence).id
        await ask("POST", f"/api/incidents/{incident}/snooze", json={"for_s": 60})
        _, listed = await ask("GET", "/api/incidents", "read")
        _, said = await command("incidents")

        assert [[f"silence {name}", "snooze"]] == [e["muted_by"] for e in listed["incidents"]]
        assert f"silence {name}, snooze" in said

    async def test_say_that_all_their_routes_are_closed(self, agent, ask, incident):
        branch = {"matchers": ["alertname=hot"], "mute_time_intervals": ["always"]}
        tree = {"receiver": "chat", "routes": [branch], "time_intervals": {"always": [{}]}}
        plan = make_plan(msgspec.convert(tree, RoutingOptions), ["chat"])
        agent.parts.judged.alerting.tell(("chat",), plan)
        _, listed = await ask("GET", "/api/incidents", "read")

        assert [["interval always"]] == [each["muted_by"] for each in listed["incidents"]]

    async def test_say_of_what_nothing_is_known(self, agent, ask, incident, command):
        agent.parts.judged.alerting.tick(time.time_ns() + HOUR_NS)
        _, listed = await ask("GET", "/api/incidents", "read")
        _, said = await command("status")

        assert ["no_data"] == [each["unknown"] for each in listed["incidents"]]
        assert "1 firing, nothing known of 1 now" in said

    async def test_are_handled_by_operators_only(self, ask, incident):
        assert 403 == (await ask("POST", f"/api/incidents/{incident}/ack", "read"))[0]

    @pytest.mark.parametrize(
        ("deed", "asked", "reason"),
        [
            ("praise", {}, "nobody can 'praise'"),
            ("snooze", {}, "for_s"),
            ("ack", {"for_s": -1}, "for_s"),
            ("ack", {"who": "ann"}, "who"),
        ],
    )
    async def test_say_what_is_wrong(self, ask, incident, deed, asked, reason):
        status, said = await ask("POST", f"/api/incidents/{incident}/{deed}", json=asked)

        assert 400 == status
        assert reason in said["error"]

    async def test_that_are_not_there_are_not_found(self, ask):
        assert 404 == (await ask("GET", "/api/incidents/none"))[0]
        assert 400 == (await ask("POST", "/api/incidents/none/ack", json={}))[0]


class TestMerging:
    @pytest.fixture
    def two(self, agent):
        """The ids of two that fire."""
        alerting = agent.parts.judged.alerting
        alerting.declare([AlertOptions(name=n, metric=n, threshold=5) for n in ("db", "web")])
        now = time.time_ns()
        points = [Point(metric=n, value=6.0, time=now) for n in ("db", "web")]
        alerting.observe(Observed(service="shop", time=now, points=points))
        return [each.incident for each in alerting.standings() if each.incident]

    async def test_is_asked_for_and_undone_by_commands(self, ask, two, command):
        assert (0, "") == await command("merge", *two, "--by", "ann")
        _, listed = await ask("GET", "/api/incidents", "read")
        code, said = await command("why", two[1])
        assert (0, "") == await command("split", two[1])
        _, shown = await ask("GET", f"/api/incidents/{two[0]}", "read")

        assert {"", two[0]} == {each["merged_into"] for each in listed["incidents"]}
        assert (0, True) == (code, f"merged into {two[0]} at " in said)
        assert ["merge", "split_off"] == [each["kind"] for each in shown["incident"]["remarks"]]

    @pytest.mark.parametrize(
        ("asked", "reason"),
        [
            ({"incidents": []}, "incidents"),
            ({"incidents": ["none"]}, "no incident 'none' fires"),
            ({}, "incidents"),
            ({"incidents": ["none"], "into": "x"}, "into"),
        ],
    )
    async def test_says_what_is_wrong(self, ask, two, asked, reason):
        status, said = await ask("POST", f"/api/incidents/{two[0]}/merge", json=asked)

        assert 400 == status
        assert reason in said["error"]


class TestFigures:
    async def test_say_how_it_went(self, ask, incident):
        await ask("POST", f"/api/incidents/{incident}/ack", json={"by": "ann"})
        await ask("POST", f"/api/incidents/{incident}/label", json={"text": "useful"})
        status, told = await ask("GET", "/api/incidents/figures?zone=Europe/Berlin", "read")
        figures = told["figures"]

        assert (200, 1, 1) == (status, figures["fired"], figures["quality"]["useful"])
        assert (False, "Europe/Berlin", 30) == (
            figures["is_cut"], figures["zone"], len(figures["trend"])
        )  # fmt: skip

    @pytest.mark.parametrize("asked", ["since_s=0", "since_s=nan", "since_s=x", "zone=Nowhere"])
    async def test_say_what_is_wrong(self, ask, asked):
        status, said = await ask("GET", f"/api/incidents/figures?{asked}", "read")

        assert (400, asked.partition("=")[0]) == (status, said["error"].partition(":")[0])

    async def test_are_of_labels_that_mean_something(self, ask, incident):
        path = f"/api/incidents/{incident}/label"

        assert 400 == (await ask("POST", path, json={"text": "great"}))[0]
        assert 403 == (await ask("POST", path, "read", json={"text": "noise"}))[0]
        assert 404 == (await ask("POST", "/api/incidents/no/label", json={"text": "noise"}))[0]


class TestCommands:
    async def test_do_what_they_say(self, ask, incident, command):
        for words in (
            ("assign", incident, "bob"),
            ("comment", incident, "the disk is full"),
            ("ack", incident, "--by", "ann", "--sticky"),
            ("resolve", incident, "--comment", "made room"),
        ):
            assert (0, "") == await command(*words)
        _, shown = await ask("GET", f"/api/incidents/{incident}", "read")
        kinds = [each["kind"] for each in shown["incident"]["remarks"]]

        assert ["assign", "comment", "ack", "resolve"] == kinds
        assert "inactive" == shown["incident"]["state"]

    async def test_that_put_off_say_until_when(self, ask, incident, command):
        code, said = await command("snooze", incident, "--by", "ann")
        _, why = await command("why", incident)

        assert (0, "put off until 2") == (code, said[:15])
        assert "put off until 2" in why
        assert " by ann: it is not repeated" in why

    async def test_label_and_show_figures(self, ask, incident, command):
        assert (0, "") == await command("label", incident, "noise")
        assert (1, "no incident none\n") == await command("label", "none", "noise")
        code, said = await command("incidents", "stats", "--since", "1d")
        _, listed = await command("incidents", "--json")

        assert (0, True) == (code, said.startswith("1 incident fired from "))
        assert f'"id": "{incident}"' in listed

    async def test_fail_where_nothing_fires(self, agent, command):
        code, said = await command("ack", "none")

        assert 2 == code
        assert "no incident 'none' fires" in said

    @pytest.mark.parametrize("wrong", [["add"], ["ad", "a=b"], ["add", "a"], ["a!b"]])
    async def test_refuse_what_is_no_silence(self, agent, command, wrong):
        assert 2 == (await command("silence", *wrong))[0]

    async def test_make_list_and_end_silences(self, agent, command):
        made = await command("silence", "service=shop", "--for", "5m", "--comment", "why")
        listed = await command("silence", "list", "--json")
        ended = await command("silence", "expire", made[1].strip())
        again = await command("silence", "expire", made[1].strip())

        assert (0, 0, 0, 1) == (made[0], listed[0], ended[0], again[0])
        assert '"state": "active"' in listed[1]
