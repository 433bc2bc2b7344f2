"""What a message looks like at every service: one firing with everything, and its end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from qmon_agent.domain.notices import Notice
from qmon_agent.notify.channels import CHANNELS
from qmon_agent.notify.channels.command import document_of
from qmon_agent.notify.message import Action, Address, compose

HERE = Path(__file__).parent / "channels"
WRITE = os.environ.get("QMON_GOLDEN") == "write"
FIRING = Notice(
    incident="29a1d22d69b9c623",
    status="firing",
    reason="breach_held",
    alert="checkout slow",
    description="People wait at the till: <b>open</b> a second one, @all.",
    severity="critical",
    rule="threshold",
    system="shop",
    metric="http.server.request.duration",
    threshold="> 0.5 for 10s",
    value=0.75,
    labels={"service": "shop", "http.route": "/buy"},
    event_time=1_700_000_000_000_000_000,
    since=1_700_000_000_100_000_000,
    fired_at=1_700_000_010_100_000_000,
)
OVER = msgspec.structs.replace(
    FIRING, status="resolved", reason="cleared", value=0.25, resolved_at=1_700_000_300_100_000_000
)
ACTIONS = (
    Action(name="Acknowledge", link="https://qmon.example/links/x.a"),
    Action(name="Mute for 1 h", link="https://qmon.example/links/x.b"),
    Action(name="Mute for 24 h", link="https://qmon.example/links/x.c"),
    Action(name="Why", link="https://qmon.example/incidents/29a1d22d69b9c623?link=x.z#why"),
)
NAMES = sorted({*CHANNELS.names()} - {"command", "console", "email", "file", "syslog"})


def message_of(notice, *, attempt=1, reference="", name=""):
    address = Address(
        key=f"{notice.incident}.{notice.status}.pager",
        channel="pager",
        link="https://qmon.example/incidents/29a1d22d69b9c623?link=x.z",
        actions=ACTIONS,
        sent_at=1_700_000_010_200_000_000,
        attempt=attempt,
        reference=reference,
        others=3,
    )
    chart = "https://qmon.example/links/x.w/chart.png"
    takes = getattr(CHANNELS.find(name), "TAKES_CHART_LINK", False) if name else False
    return msgspec.structs.replace(compose(notice, address), chart_link=chart if takes else "")


def held(name, document):
    """Compares with the file, or writes it."""
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    file = HERE / name
    if WRITE:
        file.write_text(text)
    assert file.read_text() == text


def body_of(call, service):
    """What was asked for, with nothing in it of this run."""
    kind = call.headers.get_content_type()
    said = json.loads(call.body) if kind == "application/json" else call.form()
    path = call.path + ("?" + "&".join(f"{k}={v[0]}" for k, v in call.query.items())) * bool(
        call.query
    )
    return {"asked": f"{call.method} {path}", "said": said}


async def both(name, service, options):
    """The firing message and its end, as they went out."""
    channel = CHANNELS.build(name, options)
    first = await channel.send(message_of(FIRING, name=name))
    last = await channel.send(message_of(OVER, attempt=2, reference=first.reference, name=name))
    assert ["delivered"] * 2 == [first.outcome, last.outcome], (first, last)
    return [body_of(call, service) for call in service.calls]


@pytest.fixture
def service(services, name):
    service = services.SERVICES[name]()
    yield service
    service.close()
    assert not service.wrong


@pytest.mark.parametrize("name", NAMES)
class TestChannels:
    async def test_say_what_they_promised(self, name, service):
        held(f"{name}.json", await both(name, service, service.options()))


@pytest.mark.parametrize("name", ["slack"])
class TestSlackBot:
    async def test_says_what_it_promised(self, name, service):
        held("slack_bot.json", await both(name, service, service.bot()))


@pytest.mark.parametrize("name", ["webhook"])
class TestStandardWebhook:
    async def test_says_what_it_promised(self, name, service):
        service.answers += [(200, {}, b"")] * 2
        options = service.options() | {"format": "standard"}

        held("webhook_standard.json", await both(name, service, options))


class TestCommand:
    def test_reads_what_it_was_promised(self):
        held("command.json", json.loads(document_of(message_of(FIRING))))


class TestEmail:
    async def test_says_what_it_promised(self, postbox):
        channel = CHANNELS.build("email", postbox.options())

        first = await channel.send(message_of(FIRING))
        await channel.send(message_of(OVER, reference=first.reference))

        held("email.json", [mail_of(mail) for mail in postbox.taken])


def mail_of(mail):
    heads = {name.lower(): str(value) for name, value in mail.items()}
    heads.pop("content-type")
    parts = mail.iter_parts()
    return {"heads": heads, "parts": [part.get_content().splitlines() for part in parts]}
