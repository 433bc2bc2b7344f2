"""Why did, or did not, somebody hear of an alert."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import pytest
from msgspec import convert
from msgspec.structs import replace

from qmon_agent.alerting import Observed
from qmon_agent.alerting.care import Deed
from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.app.why import why_alert, why_incident
from qmon_agent.app.why_words import when
from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.silences import Silence
from qmon_agent.domain.clock import SECOND, SystemClock
from qmon_agent.domain.errors import QueryError
from qmon_agent.settings import AlertOptions
from qmon_agent.settings.routing import RouteOptions, RoutingOptions
from qmon_agent.store.state.sendings import Settled
from qmon_sdk.protocol.signals import Point

HOT = AlertOptions(name="hot", metric="temp", threshold=5)
SLOW = AlertOptions(name="slow", metric="temp", threshold="> 5 for 1h")
LOST = AlertOptions(name="lost", metric="tmep", system="shop", threshold=5)
LATE = AlertOptions(name="late", rule="promql", options={"expr": "temp > 5 and temp < 9"})
CLOCK = SystemClock()


class Asked:
    """An agent whose alerts tell a pager that nobody serves."""

    def __init__(self, judged):
        self.judged = judged
        self.alerting = judged.alerting
        self.alerting.tell(("pager",))

    def point(self, value, *, ago_s=0):
        now = time.time_ns() - ago_s * SECOND
        points = [Point(metric="temp", value=value, time=now)]
        self.judged.latest.note("shop", points)
        self.alerting.observe(Observed(service="shop", time=now, points=points))

    def incident(self):
        return next(each.incident for each in self.alerting.standings() if each.incident)

    def attempt(self, status, detail="", due_at=0):
        outbox, now = self.judged.state.outbox, time.time_ns()
        (leased,) = outbox.lease("pager", owner="t", until=now + SECOND)
        outbox.settle(leased, Settled(status=status, at=now, detail=detail, due_at=due_at))

    def why(self, incident="", channel=""):
        name = incident or self.incident()
        told = why_incident(self.judged, name, channel=channel, clock=CLOCK)
        return "\n".join(told["answers"])

    def why_alert(self, name):
        return "\n".join(why_alert(self.judged, name, channel="", clock=CLOCK)["answers"])


@pytest.fixture
def asked(agent):
    asked = Asked(agent.parts.judged)
    asked.alerting.declare([HOT])
    return asked


@pytest.fixture
def silence(asked):
    asked.judged.state.catalog.add_system("shop")
    now = time.time_ns()
    matchers = parse_matchers("service=shop")
    return asked.alerting.muting.add(
        Silence(id="", matchers=matchers, starts_at=now - SECOND, ends_at=now + 3_600 * SECOND)
    )


class TestWhatWasSent:
    def test_is_told_with_the_attempts_it_took(self, asked):
        asked.point(6.0)
        asked.attempt("waiting", "503 of the pager", time.time_ns() - 1)
        waiting = asked.why()
        asked.attempt("sent")

        assert "pager: is to be told that it fires; attempt 1 failed: 503 of the pager;" in waiting
        assert "pager: told that it fires at " in asked.why()
        assert ", at attempt 2" in asked.why()

    def test_is_told_where_nobody_took_it(self, asked):
        asked.point(6.0)
        asked.attempt("dead", "404 gone")

        assert "pager: was not told that it fires: 404 gone" in asked.why()

    def test_is_told_with_the_route_where_two_lead_to_one_channel(self, asked):
        branches = [
            {"receiver": "pager", "matchers": ["service=shop"], "continue": True},
            {"receiver": "team", "matchers": ["alertname=hot"]},
        ]
        tree = {"receiver": "pager", "group_wait": 0, "routes": branches}
        tree["receivers"] = {"team": {"channels": ["pager"]}}
        asked.alerting.tell(("pager",), make_plan(convert(tree, RoutingOptions), ["pager"]))
        asked.point(6.0)
        asked.alerting.tick(time.time_ns() + SECOND)

        said = asked.why()
        assert 'pager (receiver pager, route {}/{service="shop"}): is to be told that' in said
        assert 'pager (receiver team, route {}/{alertname="hot"}): is to be told that' in said

    def test_is_told_where_it_was_outdated_before_anybody_could_take_it(self, asked):
        asked.point(6.0, ago_s=3_600)
        incident = asked.incident()
        asked.point(1.0, ago_s=3_599)

        assert 2 == asked.judged.state.outbox.pass_over("pager")
        said = asked.why(incident)
        assert (
            "was not told that it fires: it was over before it could be told (superseded)" in said
        )
        assert "told that it is over: nobody there had heard that it began (superseded)" in said

    def test_is_told_of_what_is_over(self, asked):
        asked.point(6.0)
        incident = asked.incident()
        asked.point(1.0)
        said = asked.why(incident)

        assert "it fired at " in said
        assert ": its condition holds; it was over at " in said
        assert "pager: is to be told that it is over, after what comes before it" in said


class TestWhatKeptItBack:
    def test_is_a_silence(self, asked, silence):
        asked.point(6.0)

        assert (
            f"pager: nothing was written for it; it is muted by silence {silence.id}" in asked.why()
        )

    def test_is_a_silence_also_when_it_is_over(self, asked, silence):
        asked.point(6.0)
        asked.alerting.muting.expire(silence.id)
        asked.alerting.tick(time.time_ns())
        said = asked.why()

        assert f"silence {silence.id} kept people from hearing of it, 2" in said
        assert "pager: is to be told that it fires" in said

    def test_is_that_it_is_put_off(self, asked):
        asked.point(6.0)
        until = time.time_ns() + 3_600 * SECOND
        asked.alerting.care.do(asked.incident(), Deed(kind="snooze", by="ann", until=until))

        assert f"put off until {when(until)} by ann: it is not repeated" in asked.why()

    def test_is_that_somebody_has_it_already(self, asked):
        asked.point(6.0)
        asked.alerting.care.do(asked.incident(), Deed(kind="ack", by="ann"))

        assert "acknowledged by ann: it is not repeated" in asked.why()

    def test_is_that_its_alert_tells_others(self, asked):
        asked.point(6.0)

        assert "mail: not told, its alert tells pager" in asked.why(channel="mail")

    def test_is_that_its_route_leads_elsewhere_or_its_group_waits(self, asked):
        branch = RouteOptions(receiver="mail", matchers=("service=other",))
        plan = make_plan(RoutingOptions(receiver="pager", routes=(branch,)), ["pager", "mail"])
        asked.alerting.tell(("pager", "mail"), plan)
        asked.point(6.0)

        assert "mail: not told, its routes lead to pager (pager)" in asked.why(channel="mail")
        assert "pager: nothing was written for it; its group waits for others until" in asked.why()

    def test_is_that_it_never_fired(self, asked):
        asked.alerting.declare([SLOW])
        asked.point(6.0)
        said = asked.why()

        assert "it is pending since" in said
        assert "if that lasts it fires at" in said
        assert "nobody hears of what has not fired" in said

    def test_is_that_it_flaps(self, asked):
        asked.alerting.declare(
            [replace(HOT, flapping_window="1h", flapping_high=1, flapping_low=1)]
        )
        asked.point(6.0)

        assert "it flaps: what changes is not told until it is steady, at " in asked.why()
        assert "flapping" in asked.why_alert("hot")


class TestAlerts:
    def test_that_never_saw_anything_say_so(self, asked):
        asked.alerting.declare([LOST])

        said = asked.why_alert("lost")
        assert "nothing that it looks at has come lately" in said
        assert "newest" not in said

    def test_that_came_after_what_they_look_at_show_it(self, asked):
        asked.point(6.0)
        asked.alerting.declare([LATE])

        said = asked.why_alert("late")
        assert "what came before the rule was there (2" in said
        assert "newest temp of shop: 6 at " in said

    def test_say_how_far_they_are_from_firing(self, asked):
        asked.judged.state.catalog.add_system("shop")
        asked.point(1.0)
        said = asked.why_alert("hot")

        assert "newest temp of shop: 1 at" in said
        assert '{"service":"shop"}: inactive, value 1 against 5' in said
        assert "it has not fired as far as is known" in said

    def test_say_since_when_nothing_is_known(self, asked):
        asked.point(6.0)
        asked.alerting.tick(time.time_ns() + 600 * SECOND)

        assert "unknown since" in asked.why_alert("hot")
        assert "nothing is known of it now (no_data)" in asked.why()

    def test_that_were_taken_out_say_why_their_incident_is_over_and_who_heard(self, asked):
        asked.point(6.0)
        incident = asked.incident()
        asked.alerting.declare([])

        said = asked.why(incident)
        assert "it was over at " in said
        assert ": its alert was taken out of the configuration" in said
        assert "pager: is to be told that it is over, after what comes before it" in said

    def test_that_are_switched_off_say_so(self, asked):
        asked.alerting.declare([])

        assert "it is switched off" in asked.why_alert("hot")

    @pytest.mark.parametrize("name", ["hat", ""])
    def test_there_are_none_of_are_refused_with_those_there_are(self, asked, name):
        with pytest.raises(QueryError, match="hot"):
            asked.why_alert(name)

    def test_incidents_there_are_none_of_are_refused(self, asked):
        with pytest.raises(QueryError, match="there is no incident 'x'"):
            asked.why("x")


class TestCommand:
    async def run(self, tmp_path, *words, command="why"):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "qmon_agent.cli", command, *words),
            *("--state", str(tmp_path / "state")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    async def test_shows_answers_and_the_life_of_it(self, asked, tmp_path):
        asked.point(6.0)
        code, said = await self.run(tmp_path, asked.incident())
        _, of_alert = await self.run(tmp_path, "--alert", "hot")

        assert 0 == code, said
        assert "inactive → firing: breach (its condition holds), value 6" in said
        assert said.splitlines()[0] in of_alert

    async def test_is_what_incidents_show_does(self, asked, tmp_path):
        asked.point(6.0)
        _, why = await self.run(tmp_path, asked.incident())
        _, shown = await self.run(tmp_path, "show", asked.incident(), command="incidents")

        assert why.splitlines()[:3] == shown.splitlines()[:3]

    async def test_answers_programs(self, asked, tmp_path):
        asked.point(6.0)
        code, said = await self.run(tmp_path, asked.incident(), "--json", "--channel", "pager")

        assert (0, ["pager"]) == (code, json.loads(said)["channels"])

    @pytest.mark.parametrize("words", [[], ["x", "--alert", "hot"], ["x"]])
    async def test_refuses_what_it_cannot_answer(self, asked, tmp_path, words):
        assert 2 == (await self.run(tmp_path, *words))[0]
