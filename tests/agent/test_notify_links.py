"""Links and pictures by their address, as each service takes them, or does not."""

import msgspec
import pytest

from qmon_agent.domain.notices import Notice
from qmon_agent.notify.channels import CHANNELS
from qmon_agent.notify.message import Action, Address, compose

BASE = "https://qmon.example.org"
PICTURE = f"{BASE}/links/{'p' * 130}/chart.png"
NAMES = ("Acknowledge", "Mute for 1 h", "Mute for 24 h", "Why")
# As long as they are, with a sign in it that is a mark to some.
ACTIONS = tuple(Action(name=each, link=f"{BASE}/links/{'a_' * 65}") for each in NAMES)
NOT_FETCHED = {"ok": False, "error": "invalid_blocks", "errors": ["downloading image failed"]}


def a_message(*, picture=PICTURE, **changes):
    notice = Notice(incident="abc", status="firing", reason="breach", alert="hot", fired_at=1)
    link = f"{BASE}/incidents/abc?link={'i_' * 65}"
    usual = {"key": "k", "channel": "c", "sent_at": 1, "link": link, "actions": ACTIONS}
    message = compose(notice, Address(**usual | changes))
    return msgspec.structs.replace(message, chart_link=picture)


@pytest.fixture
def service(services, name):
    service = services.SERVICES[name]()
    yield service
    service.close()
    assert not service.wrong


def blocks(body):
    return [block["type"] for each in body["attachments"] for block in each["blocks"]]


@pytest.mark.parametrize("name", ["slack"])
class TestSlack:
    async def test_is_told_without_a_picture_that_it_cannot_fetch(self, service):
        service.answers = [(400, {}, b"invalid_blocks")]

        delivery = await CHANNELS.build("slack", service.options()).send(a_message())

        assert ("delivered", 2) == (delivery.outcome, len(service.calls))
        assert ["section", "section"] == blocks(service.got[0])

    async def test_is_told_by_a_bot_without_it_too(self, service):
        service.answers = [(200, {}, NOT_FETCHED)]
        channel = CHANNELS.build("slack", service.bot())

        first = await channel.send(a_message())
        service.answers = [(200, {}, NOT_FETCHED)]
        again = await channel.send(a_message(reference=first.reference))

        assert ["delivered"] * 2 == [first.outcome, again.outcome]
        assert ["section", "image", "section"] == blocks(service.got[-1])

    async def test_is_asked_no_third_time(self, service):
        service.answers = [(400, {}, b"invalid_blocks")] * 2

        delivery = await CHANNELS.build("slack", service.options()).send(a_message())

        assert ("refused", 2) == (delivery.outcome, len(service.calls))


@pytest.mark.parametrize("name", ["pagerduty"])
class TestPagerduty:
    async def test_gets_no_picture_that_does_not_come_by_tls(self, service):
        picture = PICTURE.replace("https", "http")

        await CHANNELS.build("pagerduty", service.options()).send(a_message(picture=picture))

        assert "images" not in service.got[0]


@pytest.mark.parametrize("name", ["discord"])
class TestDiscord:
    async def test_gets_as_many_links_as_have_room_and_none_broken(self, service):
        await CHANNELS.build("discord", service.options()).send(a_message())

        [embed] = service.got[0]["embeds"]
        assert f"[Acknowledge](<{ACTIONS[0].link}>)" in embed["fields"][0]["value"]
        assert BASE not in embed["description"]


@pytest.mark.parametrize("name", ["mattermost"])
class TestMattermost:
    async def test_gets_links_that_no_mark_is_taken_out_of(self, service):
        await CHANNELS.build("mattermost", service.options()).send(a_message())

        [attachment] = service.got[0]["attachments"]
        assert all(f"(<{each.link}>)" in attachment["text"] for each in ACTIONS)
        assert "\\_" not in attachment["text"]


@pytest.mark.parametrize("name", ["telegram"])
class TestTelegram:
    async def test_has_its_links_as_buttons_and_not_in_the_words(self, service):
        await CHANNELS.build("telegram", service.options()).send(a_message())

        rows = service.got[0]["reply_markup"]["inline_keyboard"]
        assert [2, 2, 1] == list(map(len, rows))
        assert ACTIONS[0].link not in service.got[0]["text"]


@pytest.mark.parametrize("name", ["twilio"])
class TestTwilio:
    async def test_says_where_to_look_and_to_acknowledge(self, service):
        await CHANNELS.build("twilio", service.options()).send(a_message())

        assert 2 == service.got[0]["Body"].count(BASE)


@pytest.mark.parametrize("name", ["ntfy"])
class TestNtfy:
    async def test_has_buttons_for_what_may_be_done(self, service):
        await CHANNELS.build("ntfy", service.options()).send(a_message())

        push = service.got[0]
        assert list(NAMES[:3]) == [each["label"] for each in push["actions"]]
        assert PICTURE == push["attach"]
