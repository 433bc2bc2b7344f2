"""Who could not be told, and why, in words: what somebody reads in `status` and in `why`."""

import socket
import ssl
import threading
from contextlib import suppress

import pytest
import trustme

from qmon_agent.domain.notices import Notice
from qmon_agent.domain.reaching import Course, words_of
from qmon_agent.notify.channels import CHANNELS
from qmon_agent.notify.message import Address, compose

REFUSED = "the connection was refused: nothing listens there"
NOBODY = "there is no such name (Name or service not known)"


def a_message():
    notice = Notice(incident="abc", status="firing", reason="breach", alert="hot", fired_at=1)
    return compose(notice, Address(key="abc.firing.here", channel="here", sent_at=1))


def a_channel(kind, place, **options):
    host, _, port = place.partition(":")
    mail = {"host": host, "port": int(port), "sender": "a@b.example", "to": ["c@d.example"]}
    known = {"webhook": {"url": f"http://{place}/hook"}, "syslog": {"address": place}}
    return CHANNELS.build(kind, {"email": mail, **known}[kind] | options)


async def said_by(channel):
    delivery = await channel.send(a_message())
    assert "retry" == delivery.outcome
    return delivery.detail


@pytest.fixture
def silent():
    """Who takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def dripping():
    """Who begins an answer at once, and says the rest of it byte by byte, for ever."""
    is_over = threading.Event()

    def drip(link):
        with link, suppress(OSError):
            link.recv(1 << 16)
            link.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n")
            while not is_over.wait(0.05):
                link.sendall(b"w")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: drip(listening.accept()[0]))
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        is_over.set()
        thread.join(5)


@pytest.fixture
def stranger():
    """Who shows a certificate that nobody vouches for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    return context


class TestSomebodyWhoHangs:
    @pytest.mark.parametrize("kind", ["webhook", "email"])
    async def test_has_not_answered_once_connected(self, kind, silent):
        plain = {"security": "none"} if kind == "email" else {}

        said = await said_by(a_channel(kind, silent, timeout_s=0.1, **plain))

        assert said.endswith(": no answer within 0.1 s (once connected)")

    @pytest.mark.parametrize(
        ("kind", "options"),
        [("email", {"security": "tls"}), ("syslog", {"transport": "tls"}), ("webhook", {})],
    )
    async def test_has_not_answered_in_the_handshake(self, kind, options, silent):
        options = options or {"url": f"https://{silent}/hook"}

        said = await said_by(a_channel(kind, silent, timeout_s=0.1, **options))

        assert said.endswith(": no answer within 0.1 s (in the TLS handshake)")

    async def test_has_not_ended_when_it_drips_its_answer(self, dripping):
        said = await said_by(a_channel("webhook", dripping, timeout_s=0.5))

        # On a machine that is busy enough, it had not even begun.
        late = ("its answer did not end within 0.5 s", "no answer within 0.5 s (once connected)")
        assert said.endswith(late)

    def test_is_told_by_how_far_it_came_whatever_broke(self):
        course = Course("answering")
        course.is_over = True

        said = words_of(ConnectionResetError(), course, limit_s=3.0)

        assert "its answer did not end within 3 s" == said


class TestNobody:
    @pytest.mark.parametrize("kind", ["webhook", "email", "syslog"])
    async def test_listens(self, kind):
        assert (await said_by(a_channel(kind, "127.0.0.1:1"))).endswith(f": {REFUSED}")

    @pytest.mark.parametrize("kind", ["webhook", "email", "syslog"])
    async def test_has_the_name(self, kind):
        said = await said_by(a_channel(kind, "no-such-host.invalid:9"))

        assert said.endswith(f": {NOBODY}") or "could not be looked up" in said

    async def test_is_named_with_port_and_without_secrets(self):
        channel = CHANNELS.build("webhook", {"url": "http://me:word@127.0.0.1:1/path?key=x"})

        assert f"127.0.0.1:1: {REFUSED}" == await said_by(channel)


class TestAStranger:
    @pytest.mark.parametrize("kind", ["webhook", "syslog", "email"])
    async def test_is_not_believed(self, kind, services, stranger):
        service = services.SERVICES["webhook"]()
        service.socket = stranger.wrap_socket(service.socket, server_side=True)
        place = f"localhost:{service.server_port}"
        options = {"syslog": {"transport": "tls"}, "email": {"security": "tls"}}
        usual = options.get(kind) or {"url": f"https://{place}/hook"}

        said = await said_by(a_channel(kind, place, **usual))

        service.close()
        assert f"{place.partition(':')[0]}" in said
        assert "its certificate is not accepted: " in said

    async def test_does_not_speak_tls(self, services):
        service = services.SERVICES["webhook"]()
        place = f"127.0.0.1:{service.server_port}"

        said = await said_by(a_channel("webhook", place, url=f"https://{place}/hook"))

        service.close()
        assert f"{place}: no TLS with it: " in said

    async def test_hangs_up(self, services):
        service = services.SERVICES["webhook"]()
        service.answers += [(0, {}, b"")]

        said = await said_by(a_channel("webhook", f"127.0.0.1:{service.server_port}"))

        service.close()
        assert said.endswith(": it hung up without an answer")

    async def test_speaks_no_http(self, peers):
        faulty = peers.Faulty("garbage")

        said = await said_by(CHANNELS.build("webhook", {"url": faulty.url, "timeout_s": 5}))

        faulty.close()
        assert said.endswith(": what it answered is no HTTP")
