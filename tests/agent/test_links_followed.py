"""Links of messages, followed over the agent's own port: looking does nothing, a button acts."""

from __future__ import annotations

import asyncio
import re
import time

import httpx
import msgspec
import pytest

from qmon_agent.alerting import Observed
from qmon_agent.domain.clock import SECOND
from qmon_agent.settings import AlertOptions
from qmon_sdk.protocol.signals import Point

PUBLIC = "https://qmon.example"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def hook(services):
    service = services.SERVICES["webhook"]()
    yield service
    service.close()


@pytest.fixture
def http_options(hook):
    channel = f'[channels.ops]\nkind = "webhook"\nurl = "{hook.url}/"\nformat = "standard"\n'
    return f'public_url = "{PUBLIC}"\n{channel}'


@pytest.fixture
def judge(agent):
    """Lets a value come."""
    alerting = agent.parts.judged.alerting
    alert = AlertOptions(
        name="hot", metric="temp", threshold=5, channels=("ops",), description=HOSTILE
    )
    alerting.declare([alert])

    def observe(value, **attributes):
        now = time.time_ns()
        points = [Point(metric="temp", value=value, time=now, attributes=attributes)]
        alerting.observe(Observed(service="shop", time=now, points=points))

    return observe


class Told:
    """The newest message, as its reader has it."""

    def __init__(self, message):
        self.incident = message["incident"]
        self.text = message["text"]
        self.show = message["link"].removeprefix(PUBLIC)
        self.links = {
            each["name"]: each["link"].removeprefix(PUBLIC) for each in message["actions"]
        }


@pytest.fixture
async def told(hook, judge):
    """What was sent about an incident that fires."""
    judge(6.0)
    async with asyncio.timeout(10):
        while not hook.calls:
            await asyncio.sleep(0.01)
    return Told(msgspec.json.decode(hook.calls[0].body)["data"])


@pytest.fixture
async def browser(agent):
    """Somebody who is not signed in, and comes by the public name."""
    headers = {"host": "qmon.example"}
    async with httpx.AsyncClient(base_url=agent.ready["url"], headers=headers) as client:
        yield client


@pytest.fixture
def incident(agent, told):
    """How it stands with the incident."""

    async def look():
        found = await agent.desk.incident(told.incident)
        silences = await agent.desk.silences()
        return found["handling"]["acked_by"], [each["state"] for each in silences], found["remarks"]

    return look


@pytest.fixture
def sealed(agent, told):
    """A link of this agent's, but for what is changed."""

    def seal(deed="ack", *, incident=told.incident, lasts_s=60):
        from qmon_agent.domain.links import Grant

        until = time.time_ns() // SECOND + lasts_s
        grant = Grant(deed=deed, incident=incident, channel="webhook:ops", until=until)
        return f"/links/{agent.parts.links.seal(grant)}"

    return seal


ORIGIN = {"origin": PUBLIC}


class TestLooking:
    @pytest.mark.parametrize("name", ["Acknowledge", "Mute for 1 h", "Mute for 24 h"])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_at_a_link_does_nothing(self, browser, told, incident, name, method):
        """As mail scanners and previews of chats do."""
        for _ in range(3):
            assert 200 == (await browser.request(method, told.links[name])).status_code

        assert ("", [], []) == await incident()

    async def test_shows_one_button_and_what_it_is_about(self, browser, told):
        page = (await browser.get(told.links["Acknowledge"])).text

        assert ["Acknowledge"] == re.findall("<button[^>]*>([^<]*)", page)
        assert '<form method="post">' in page
        assert "hot on shop" in page

    async def test_shows_words_of_others_as_words(self, browser, told):
        for place in (told.links["Acknowledge"], told.show):
            assert "<script" not in (await browser.get(place)).text
        assert "&lt;script&gt;" in (await browser.get(told.links["Acknowledge"])).text

    async def test_is_kept_nowhere_and_told_to_nobody(self, browser, told):
        for place in (told.links["Acknowledge"], told.show, "/links/x.y"):
            headers = (await browser.get(place)).headers

            assert "no-store" == headers["cache-control"]
            assert "same-origin" == headers["referrer-policy"]
            assert "DENY" == headers["x-frame-options"]
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "script" not in policy
            assert "form-action 'self'" in policy

    async def test_at_the_incident_shows_its_life_and_who_heard_of_it(self, browser, told):
        page = await browser.get(told.show)

        assert 200 == page.status_code
        assert told.incident in page.text
        assert "told that it fires" in page.text
        assert told.links["Why"] == f"{told.show}#why"
        assert 'id="why"' in page.text


class TestPressing:
    async def test_acknowledges_in_the_name_of_whom_it_was_sent_to(self, browser, told, incident):
        place = told.links["Acknowledge"]

        answer = await browser.post(place, headers=ORIGIN, follow_redirects=False)
        page = await browser.get(place)

        assert (303, place.rpartition("/")[2]) == (
            answer.status_code,
            answer.headers["location"],
        )
        by, _, remarks = await incident()
        assert "link sent to webhook:ops" == by
        assert [("ack", by)] == [(each["kind"], each["author"]) for each in remarks]
        assert "Acknowledged by link sent to webhook:ops" in page.text
        assert "<button" not in page.text

    @pytest.mark.parametrize(("name", "hours"), [("Mute for 1 h", 1), ("Mute for 24 h", 24)])
    async def test_mutes_this_incident_for_as_long_as_it_says(
        self, agent, browser, told, incident, name, hours
    ):
        await browser.post(told.links[name], headers=ORIGIN)

        [silence] = await agent.desk.silences()
        assert hours * 3_600 * SECOND == silence["ends_at"] - silence["starts_at"]
        assert 'alertname="hot"' in silence["matchers"]
        assert 'service="shop"' in silence["matchers"]
        assert "link sent to webhook:ops" == silence["author"]
        [remark] = (await incident())[2]
        assert silence["id"] in remark["text"]

    @pytest.mark.parametrize("name", ["Acknowledge", "Mute for 1 h"])
    async def test_twice_and_at_once_does_it_once(self, browser, told, incident, name):
        answers = await asyncio.gather(
            *(browser.post(told.links[name], headers=ORIGIN) for _ in range(4))
        )

        assert {200, 303} >= {each.status_code for each in answers}
        _, silences, remarks = await incident()
        assert 1 == len(remarks)
        assert len(silences) <= 1

    async def test_mutes_no_more_when_the_silence_was_ended_by_hand(self, agent, browser, told):
        place = told.links["Mute for 1 h"]
        await browser.post(place, headers=ORIGIN)
        [silence] = await agent.desk.silences()
        await agent.desk.expire_silence(silence["id"])

        await browser.post(place, headers=ORIGIN)

        assert ["expired"] == [each["state"] for each in await agent.desk.silences()]
        assert "a link mutes once" in (await browser.get(place)).text

    async def test_takes_it_from_nobody_who_has_it(self, agent, browser, told, incident):
        await agent.desk.handle(told.incident, "ack", {"by": "ann"})

        await browser.post(told.links["Acknowledge"], headers=ORIGIN)

        assert "ann" == (await incident())[0]
        assert "Acknowledged by ann" in (await browser.get(told.links["Acknowledge"])).text

    async def test_says_that_it_is_over(self, browser, told, judge, incident):
        judge(1.0)

        answer = await browser.post(told.links["Acknowledge"], headers=ORIGIN)

        assert 409 == answer.status_code
        assert "It is over" in answer.text
        assert "" == (await incident())[0]
        assert "<button" not in (await browser.get(told.links["Mute for 1 h"])).text


class TestForging:
    async def test_a_link_is_seen_through(self, browser, told, incident):
        place = told.links["Acknowledge"]
        swapped = place.partition(".")[0] + "." + told.links["Mute for 1 h"].partition(".")[2]
        for wrong in (place[:-1], place + "A", swapped, "/links/a.b", "/links/%00"):
            for method in ("GET", "POST"):
                assert 404 == (await browser.request(method, wrong)).status_code, wrong

        assert ("", [], []) == await incident()

    async def test_a_right_to_look_does_not_act(self, browser, told, sealed, incident):
        for deed in ("show", "chart"):
            assert 404 == (await browser.post(sealed(deed))).status_code

        assert ("", [], []) == await incident()

    async def test_a_right_to_act_does_not_show_others(self, browser, told, sealed):
        right = told.show.partition("?link=")[2]
        acting = sealed().rpartition("/")[2]

        assert 401 == (await browser.get(f"/incidents/another?link={right}")).status_code
        assert 401 == (await browser.get(f"/incidents/{told.incident}?link={acting}")).status_code
        assert 401 == (await browser.get(f"/incidents/{told.incident}")).status_code

    async def test_one_of_an_incident_that_is_not_there_does_nothing(self, browser, sealed):
        assert 409 == (await browser.post(sealed(incident="another"))).status_code

    async def test_what_is_too_old_is_gone(self, browser, sealed, incident):
        place = sealed(lasts_s=-1)

        assert 410 == (await browser.get(place)).status_code
        assert 410 == (await browser.post(place)).status_code
        assert ("", [], []) == await incident()

    async def test_what_was_revoked_is_void(self, agent, browser, told, incident):
        await agent.desk.links.revoke()

        assert 404 == (await browser.post(told.links["Acknowledge"])).status_code
        assert 401 == (await browser.get(told.show)).status_code
        assert ("", [], []) == await incident()

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"origin": "https://evil.example"}, 403),
            ({"origin": "null"}, 403),
            ({"host": "evil.example"}, 421),
        ],
    )
    async def test_from_elsewhere_is_refused(self, browser, told, incident, headers, status):
        answer = await browser.post(told.links["Acknowledge"], headers=headers)

        assert status == answer.status_code
        assert ("", [], []) == await incident()


class TestRevoking:
    async def test_is_for_administrators(self, agent, browser, told):
        for scope, status in (("read", 403), ("admin", 200)):
            made = await agent.desk.create_token(scope, name="", ttl_s=60)
            headers = {"authorization": f"Bearer {made['token']}"}

            assert status == (await browser.delete("/api/links", headers=headers)).status_code

    async def test_shows_an_incident_to_whoever_may_read(self, agent, browser, told):
        made = await agent.desk.create_token("read", name="", ttl_s=60)
        headers = {"authorization": f"Bearer {made['token']}"}

        page = await browser.get(f"/incidents/{told.incident}", headers=headers)
        none = await browser.get("/incidents/none", headers=headers)

        assert (200, 404) == (page.status_code, none.status_code)


class TestGroup:
    @pytest.fixture
    def http_options(self, hook):
        channel = f'[channels.ops]\nkind = "webhook"\nurl = "{hook.url}/"\nformat = "standard"\n'
        tree = '[routing]\nreceiver = "ops"\ngroup_by = ["alertname"]\ngroup_wait = "1s"\n'
        return f'public_url = "{PUBLIC}"\n{channel}{tree}'

    @pytest.fixture
    def judge(self, agent):
        """Two tills of one alert, told by the tree."""
        alerting = agent.parts.judged.alerting
        alerting.declare([AlertOptions(name="hot", metric="temp", threshold=5)])

        def observe(value):
            now = time.time_ns()
            points = [
                Point(metric="temp", value=value, time=now, attributes={"till": each})
                for each in "ab"
            ]
            alerting.observe(Observed(service="shop", time=now, points=points))

        return observe

    @pytest.mark.parametrize("name", ["Acknowledge", "Mute for 1 h"])
    async def test_is_acted_on_as_one_and_each_of_it_by_itself(self, agent, browser, told, name):
        page = (await browser.get(told.links[name])).text
        answer = await browser.post(told.links[name], headers=ORIGIN)

        found = await agent.desk.incidents(states=["firing"], limit=10)
        silences = await agent.desk.silences()
        assert f"{name}: 2 incidents" in page
        assert 303 == answer.status_code
        acked = [each["acked_by"] for each in found]
        muted = sorted(each["matchers"].partition("till=")[2][:3] for each in silences)
        by = "link sent to webhook:ops"
        expected = {"Acknowledge": ([by, by], []), "Mute for 1 h": (["", ""], ['"a"', '"b"'])}
        assert expected[name] == (acked, muted)
