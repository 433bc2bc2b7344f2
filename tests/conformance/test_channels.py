"""What makes a channel a channel: every file in the folder, ours and others'."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from qmon_agent.domain.errors import ConfigError, UnknownPluginError
from qmon_agent.domain.notices import Notice
from qmon_agent.domain.plugins import options_of
from qmon_agent.notify.channels import CHANNELS
from qmon_agent.notify.message import Address, compose

NOTICE = Notice(incident="abc", status="firing", reason="breach", alert="hot", value=6.0)
KEY = "abc.firing.here"


class Receiver(ThreadingHTTPServer):
    """A real receiver on loopback that answers as it is told and keeps what it got."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.headers, self.got, self.hang = 200, {}, [], threading.Event()
        self.hang.set()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((dict(self.headers), json.loads(body)))
        self.server.hang.wait(10)
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.hang.set()
    receiver.shutdown()
    receiver.server_close()


@pytest.fixture
def options(tmp_path, receiver):
    """What each of our channels needs to be told; an unlisted one must work without options."""
    return {
        "file": {"path": str(tmp_path / "told" / "alerts.ndjson")},
        "webhook": {"url": receiver.url, "timeout_s": 0.5},
    }


@pytest.fixture
def message():
    return compose(NOTICE, Address(key=KEY, channel="here", sent_at=1))


@pytest.mark.parametrize("name", CHANNELS.names())
class TestEveryChannel:
    def test_says_what_it_is_in_one_sentence(self, name):
        assert (CHANNELS.find(name).__doc__ or "").strip()

    def test_says_what_its_options_are(self, name, options):
        assert options.get(name, {}).keys() <= {*options_of(CHANNELS.find(name))}

    def test_refuses_an_option_it_does_not_have(self, name, options):
        with pytest.raises(ConfigError, match=f"channels.{name}.no_such_option"):
            CHANNELS.build(name, {**options.get(name, {}), "no_such_option": 1})

    async def test_delivers_a_message(self, name, options, message, capfd):
        channel = CHANNELS.build(name, options.get(name, {}))

        delivery = await channel.send(message)

        assert "delivered" == delivery.outcome, delivery.detail

    async def test_delivers_the_same_message_again_without_complaint(self, name, options, message):
        channel = CHANNELS.build(name, options.get(name, {}))

        outcomes = [(await channel.send(message)).outcome for _ in range(2)]

        assert ["delivered", "delivered"] == outcomes

    async def test_leaves_the_loop_free(self, name, options, message):
        channel, ticks = CHANNELS.build(name, options.get(name, {})), []
        sending = asyncio.ensure_future(channel.send(message))

        while not sending.done():
            ticks.append(await asyncio.sleep(0))

        assert len(ticks) > 1


class TestNames:
    def test_that_are_unknown_are_refused_with_the_nearest(self):
        with pytest.raises(UnknownPluginError, match="webhook"):
            CHANNELS.build("webhok", {})


class TestConsole:
    async def test_writes_one_line_with_the_key(self, message, capfd):
        await CHANNELS.build("console", {}).send(message)

        assert [f"{message.title} [{KEY}]"] == capfd.readouterr().err.splitlines()


class TestFile:
    async def test_writes_one_document_per_line(self, options, message):
        channel = CHANNELS.build("file", options["file"])

        await channel.send(message)
        await channel.send(message)

        lines = Path(options["file"]["path"]).read_text().splitlines()
        assert [KEY, KEY] == [json.loads(line)["key"] for line in lines]

    async def test_will_try_again_when_the_disk_refuses(self, tmp_path, message):
        channel = CHANNELS.build("file", {"path": str(tmp_path)})

        assert "retry" == (await channel.send(message)).outcome


class TestWebhook:
    async def test_gives_the_receiver_the_key_and_the_body(self, options, receiver, message):
        await CHANNELS.build("webhook", options["webhook"] | {"secrets": ["s"]}).send(message)

        [(headers, body)] = receiver.got
        assert (KEY, "firing", "4") == (headers["webhook-id"], body["status"], body["version"])
        assert headers["webhook-signature"].startswith("v1,")

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [(204, "delivered"), (302, "refused"), (404, "refused"), (410, "refused")]
        + [(status, "retry") for status in (408, 425, 429, 500, 503)],
    )
    async def test_knows_what_may_pass_and_what_will_not(
        self, options, receiver, message, status, outcome
    ):
        receiver.status = status

        delivery = await CHANNELS.build("webhook", options["webhook"]).send(message)

        assert outcome == delivery.outcome

    @pytest.mark.parametrize(
        ("said", "seconds"), [("7", 7.0), ("Thu, 01 Jan 1970 00:01:00 GMT", 60.0), ("?", 0.0)]
    )
    async def test_waits_as_long_as_it_is_asked_to(self, options, receiver, message, said, seconds):
        receiver.status, receiver.headers = 429, {"Retry-After": said}

        delivery = await CHANNELS.build("webhook", options["webhook"]).send(message)

        assert seconds == pytest.approx(delivery.retry_after_s, abs=0.01)

    async def test_will_try_again_when_nobody_answers(self, options, receiver, message):
        receiver.hang.clear()

        delivery = await CHANNELS.build("webhook", options["webhook"]).send(message)

        assert "retry" == delivery.outcome

    async def test_will_try_again_when_nobody_is_there(self, message):
        channel = CHANNELS.build("webhook", {"url": "http://127.0.0.1:1/hook"})

        assert "retry" == (await channel.send(message)).outcome

    @pytest.mark.parametrize(
        ("wrong", "where"),
        [({"url": "ftp://x"}, "url"), ({"url": "http://x", "secrets": ["whsec_?"]}, "secrets")],
    )
    def test_names_the_option_that_is_wrong(self, wrong, where):
        with pytest.raises(ConfigError, match=f"channels.webhook.{where}"):
            CHANNELS.build("webhook", wrong)
