"""What makes a channel a channel: every file in the folder, ours and others'."""

import asyncio
import json
import sys
import time

import pytest

from qmon_agent.domain.errors import ConfigError, UnknownPluginError
from qmon_agent.domain.notices import Notice
from qmon_agent.domain.plugins import options_of
from qmon_agent.notify.channels import CHANNELS
from qmon_agent.notify.message import Action, Address, compose

NOTICE = Notice(incident="abc", status="firing", reason="breach", alert="hot", value=6.0)
KEY = "abc.firing.here"
# By HTTP, from one shared file: what holds for one of their faults holds for all of them.
BY_HTTP = sorted({*CHANNELS.names()} - {"apprise", "command", "console", "email", "file", "syslog"})
HOSTILE = [
    "@everyone <!channel> <@U1> @channel",
    "</b><script>alert(1)</script> [x](javascript:alert(1)) `*_~|>#",
    "\r\nBcc: a@b.example\r\n\r\n\x00\x1b[31m\u202e\ud800 \u2028",
    '"; rm -rf / #$(reboot)`reboot`%s%n{{7*7}}{x}',
    "\U0001d54f" * 3_000,
    "&" * 3_000,
    '"\\' * 1_500,
]


@pytest.fixture
def service(services, name):
    """The other side of a channel that speaks HTTP; what it refuses, fails the test."""
    if name not in services.SERVICES:
        yield None
        return
    service = services.SERVICES[name]()
    yield service
    service.close()
    assert not service.wrong


@pytest.fixture
def options(name, service, tmp_path, request):
    """What each of our channels needs to be told; an unlisted one must work without options."""
    if service is not None:
        quick = {"timeout_s": 0.5}
        return {**service.options(), **quick}
    if name == "email":
        return request.getfixturevalue("postbox").options()
    if name == "syslog":
        return {"address": request.getfixturevalue("log_taker").address}
    quiet = {"program": sys.executable, "arguments": ["-c", "import sys; sys.stdin.read()"]}
    return {"file": {"path": str(tmp_path / "told" / "n.ndjson")}, "command": quiet}.get(name, {})


@pytest.fixture
def channel(name, options):
    return CHANNELS.build(name, options)


def message_of(notice=NOTICE, **address):
    return compose(notice, Address(**{"key": KEY, "channel": "here", "sent_at": 1} | address))


@pytest.fixture
def message():
    return message_of()


@pytest.mark.parametrize("name", CHANNELS.names())
class TestEveryChannel:
    def test_says_what_it_is_in_one_sentence(self, name):
        assert (CHANNELS.find(name).__doc__ or "").strip()

    def test_says_what_its_options_are(self, name, options):
        assert options.keys() <= {*options_of(CHANNELS.find(name))}

    def test_refuses_an_option_it_does_not_have(self, name, options):
        with pytest.raises(ConfigError, match=f"channels.{name}.no_such_option"):
            CHANNELS.build(name, {**options, "no_such_option": 1})

    async def test_delivers_the_same_message_twice_without_complaint(self, channel, message, capfd):
        outcomes = [await channel.send(message) for _ in range(2)]

        assert ["delivered", "delivered"] == [each.outcome for each in outcomes], outcomes

    @pytest.mark.parametrize("status", ["firing", "acknowledged", "resolved"])
    async def test_tells_every_state_and_what_may_be_done(self, channel, status, capfd):
        notice = Notice(incident="abc", status=status, reason="r", alert="hot", severity="odd")
        act = Action(name="Acknowledge", link="https://qmon.example/ack?a=1&b=2")
        link = "https://qmon.example/a?b=c&d"
        told = message_of(notice, attempt=2, others=3, link=link, actions=(act,))

        delivery = await channel.send(told)

        assert "delivered" == delivery.outcome, delivery.detail

    @pytest.mark.parametrize("hostile", HOSTILE)
    async def test_tells_hostile_words_as_words(self, channel, hostile, capfd):
        words = dict.fromkeys(("alert", "description", "text", "system", "metric", "rule"), hostile)
        labels = {f"{hostile[:20]}{n}": hostile for n in range(60)}
        notice = Notice(incident="abc", status="firing", reason="r", labels=labels, **words)

        delivery = await channel.send(message_of(notice))

        assert "delivered" == delivery.outcome, delivery.detail

    async def test_tells_of_many_at_once(self, channel, capfd):
        one = Notice(incident="i", status="firing", reason="r", alert="a" * 900, text="b" * 900)
        group = Notice(incident="abc", status="firing", reason="r", alert="x", members=(one,) * 200)

        delivery = await channel.send(message_of(group))

        assert "delivered" == delivery.outcome, delivery.detail

    async def test_leaves_the_loop_free(self, channel, message, capfd):
        ticks = []
        sending = asyncio.ensure_future(channel.send(message))

        while not sending.done():
            ticks.append(await asyncio.sleep(0))

        assert len(ticks) > 1


@pytest.mark.parametrize("name", BY_HTTP)
class TestEveryChannelThatSpeaksHttp:
    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
    async def test_tries_again_what_may_pass_when_it_is_asked_to(
        self, channel, service, status, message
    ):
        service.answers += [(status, {"retry-after": "7"}, b"")]

        delivery = await channel.send(message)

        assert ("retry", 7.0) == (delivery.outcome, delivery.retry_after_s)
        assert f"HTTP {status}" in delivery.detail

    @pytest.mark.parametrize("status", [302, 404, 410, 413])
    async def test_gives_up_what_will_not_pass(self, channel, service, status, message):
        service.answers += [(status, {"location": f"{service.url}/elsewhere"}, b"")]

        delivery = await channel.send(message)

        assert "refused" == delivery.outcome
        assert 1 == len(service.calls)

    async def test_waits_for_a_person_who_mends_a_token(self, channel, service, message):
        service.answers += [(401, {}, b"")]

        delivery = await channel.send(message)

        assert ("retry", True) == (delivery.outcome, "token" in delivery.detail)

    async def test_tries_again_where_somebody_hangs_up(self, channel, service, message):
        service.answers += [(0, {}, b"")]

        assert "retry" == (await channel.send(message)).outcome

    async def test_tries_again_where_nobody_is(self, channel, service, message):
        service.close()

        assert "retry" == (await channel.send(message)).outcome

    async def test_gives_up_waiting_at_its_deadline(self, name, service, message):
        service.open.clear()
        channel = CHANNELS.build(name, {**service.options(), "timeout_s": 0.1})
        began = time.monotonic()

        delivery = await channel.send(message)

        assert "retry" == delivery.outcome
        assert time.monotonic() - began < 5

    async def test_gives_away_no_secret_whatever_it_is_answered(
        self, channel, service, options, message
    ):
        secret = next(v for v in map(str, options.values()) if "secret" in v or len(v) > 30)
        said = json.dumps({"error": f"I was told {secret} and {service.url}"}).encode()
        service.answers += [(500, {}, said)]

        told = [await channel.send(message)]
        service.close()
        told.append(await channel.send(message))

        path = secret.removeprefix(service.url)
        assert not [each.detail for each in told if path in each.detail or "secret" in each.detail]


@pytest.mark.parametrize("name", ["webhook"])
class TestOfAllThatSpeakHttp:
    @pytest.mark.parametrize("fault", ["slow", "dripping", "half-open", "garbage"])
    async def test_none_is_held_up_for_longer_than_it_says(self, name, peers, fault, message):
        faulty = peers.Faulty(fault)
        channel = CHANNELS.build(name, {"url": faulty.url, "timeout_s": 0.5})
        began = time.monotonic()

        delivery = await channel.send(message)

        faulty.close()
        assert "retry" == delivery.outcome
        assert time.monotonic() - began < 5


class TestNames:
    def test_that_are_unknown_are_refused_with_the_nearest(self):
        with pytest.raises(UnknownPluginError, match="webhook"):
            CHANNELS.build("webhok", {})


class TestConsole:
    async def test_writes_one_line_with_the_key(self, message, capfd):
        await CHANNELS.build("console", {}).send(message)

        assert [f"{message.title} [{KEY}]"] == capfd.readouterr().err.splitlines()


class TestFile:
    async def test_writes_one_document_per_line(self, tmp_path, message):
        path = tmp_path / "told" / "alerts.ndjson"
        channel = CHANNELS.build("file", {"path": str(path)})

        await channel.send(message)
        await channel.send(message)

        assert [KEY, KEY] == [json.loads(line)["key"] for line in path.read_text().splitlines()]

    async def test_will_try_again_when_the_disk_refuses(self, tmp_path, message):
        channel = CHANNELS.build("file", {"path": str(tmp_path)})

        assert "retry" == (await channel.send(message)).outcome


@pytest.mark.parametrize("name", ["webhook"])
class TestWebhook:
    async def test_gives_the_receiver_the_key_and_the_body(self, options, service, message):
        await CHANNELS.build("webhook", options | {"secrets": ["s"]}).send(message)

        [(headers, body)] = service.got
        assert (KEY, "firing", "4") == (headers["webhook-id"], body["status"], body["version"])
        assert headers["webhook-signature"].startswith("v1,")

    @pytest.mark.parametrize(
        ("said", "seconds"), [("7", 7.0), ("Thu, 01 Jan 1970 00:01:00 GMT", 60.0), ("?", 0.0)]
    )
    async def test_waits_as_long_as_it_is_asked_to(self, channel, service, message, said, seconds):
        service.answers += [(429, {"Retry-After": said}, b"")]

        delivery = await channel.send(message)

        assert seconds == pytest.approx(delivery.retry_after_s, abs=0.01)


@pytest.mark.parametrize(
    ("name", "wrong", "where"),
    [
        ("webhook", {"url": "ftp://x"}, "url"),
        ("webhook", {"url": "http://x", "secrets": ["whsec_?"]}, "secrets"),
        ("webhook", {"url": "http://x", "format": "alertmanger"}, "format"),
        ("slack", {}, "url"),
        ("slack", {"url": "https://x", "token": "xoxb-1"}, "url"),
        ("slack", {"token": "xoxb-1"}, "channel"),
        ("teams", {"url": "outlook"}, "url"),
        ("discord", {"url": ""}, "url"),
        ("telegram", {"token": "1:a", "chat": "1", "api": "x"}, "api"),
        ("telegram", {"token": "1:a"}, "chat"),
        ("pagerduty", {}, "routing_key"),
        ("opsgenie", {"api_key": "a", "url": "opsgenie"}, "url"),
        ("ntfy", {"topic": "no spaces"}, "topic"),
        ("ntfy", {"topic": "t", "token": "a", "user": "b"}, "user"),
        ("twilio", {"account": "A", "auth_token": "t", "sender": "MG1", "to": "555"}, "to"),
        ("twilio", {"account": "A", "auth_token": "t", "sender": "me", "to": "+1555"}, "sender"),
        ("email", {"host": "h", "sender": "a@b", "to": []}, "to"),
        ("email", {"host": "h", "sender": "nobody", "to": ["a@b"]}, "sender"),
        ("email", {"host": "h", "sender": "a@b", "to": ["x y@z"]}, "to"),
        (
            "email",
            {"host": "h", "sender": "a@b", "to": ["a@b"], "user": "u", "security": "none"},
            "security",
        ),
        ("syslog", {"address": "nowhere"}, "address"),
        ("command", {"program": "/no/such/program"}, "program"),
        ("apprise", {"url": "nothing://x"}, "url"),
    ],
)
class TestWrongOptions:
    def test_are_named(self, name, wrong, where):
        with pytest.raises(ConfigError, match=rf"channels\.{name}\b.*\b{where}\b"):
            CHANNELS.build(name, wrong)

    def test_are_not_repeated_where_they_may_be_secret(self, name, wrong, where):
        with pytest.raises(ConfigError) as told:
            CHANNELS.build(name, {**wrong, "token": "tell-nobody", "password": "tell-nobody"})

        assert "tell-nobody" not in "".join(map(str, [told.value, *told.value.others]))
