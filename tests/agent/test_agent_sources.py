"""Ways in, each with a real connection: what is acknowledged, refused, passed over."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess

import httpx
import pytest

from qmon_agent.domain.errors import ConfigError, UnknownPluginError
from qmon_agent.ingest.sources import SOURCES, make_sources
from qmon_agent.settings import Admission as AdmissionOptions
from qmon_sdk.protocol.frames import decode_ack, pack_length

PACKETS = getattr(socket, "SOCK_SEQPACKET", None)


@pytest.fixture
async def opened(taking):
    """Opens a source and stops it afterwards."""
    started = []

    async def open_source(name, **options):
        source = SOURCES.build(name, {"enabled": True, **options})
        await source.start(taking.door())
        started.append(source)
        return source

    yield open_source
    for source in started:
        await source.stop()


class TestMaking:
    def test_makes_those_that_are_on_by_default(self):
        by_http = {"frames_http", "otlp", "remote_write"}
        of_peers = {"alertmanager", "log_files", "posthog", "prometheus", "sentry"}

        assert {"unix", "spool", "flight", *by_http, *of_peers} == set(make_sources({}))

    def test_names_the_source_that_was_meant(self):
        with pytest.raises(UnknownPluginError, match="unix"):
            make_sources({"unx": {}})

    def test_names_the_option_that_was_meant(self):
        with pytest.raises(ConfigError, match=r"sources\.tcp\.lisen.*'listen'"):
            make_sources({"tcp": {"lisen": ""}})


@pytest.mark.parametrize("kind", ["packets", "stream"])
class TestUnix:
    @pytest.fixture
    async def connected(self, opened, sender, kind):
        path = (await opened("unix", kind=kind)).describe()["path"]
        return lambda: sender(path, PACKETS if kind == "packets" else socket.SOCK_STREAM)

    async def test_acknowledges_everything_it_was_sent(self, connected, frame):
        one = connected()
        for sequence in range(1, 101):
            await one.send(frame(sequence))

        assert set(range(1, 101)) == await one.acknowledged(100)

    async def test_tells_why_it_rejects_and_goes_on(self, connected, frame):
        one = connected()
        await one.send(b"garbage")
        await one.send(frame(1)[:40])

        assert [(0, "undecodable"), (1, "undecodable")] == await one.rejected(2)
        await one.send(frame(2))
        assert {2} == await one.acknowledged(1)

    async def test_serves_many_at_once(self, connected, frame):
        senders = [connected() for _ in range(20)]
        for number, one in enumerate(senders):
            await one.send(frame(1, process=bytes([number]) * 16))

        assert [{1}] * 20 == [await one.acknowledged(1) for one in senders]

    async def test_grants_credit_with_every_answer(self, connected, frame):
        one = connected()
        await one.send(frame(1))

        assert (await one.hear()).credit > 0


class TestSocketFile:
    async def test_is_for_owner_and_group(self, taking, opened):
        await opened("unix")

        assert 0o660 == (taking.directory / "agent.sock").stat().st_mode & 0o777

    async def test_takes_the_place_of_a_stale_one(self, taking, opened, sender):
        with socket.socket(socket.AF_UNIX, PACKETS) as dead:
            dead.bind(str(taking.directory / "agent.sock"))
        await opened("unix")
        one = sender(taking.directory / "agent.sock", PACKETS)
        await one.send(taking.frame(1))

        assert {1} == await one.acknowledged(1)

    async def test_leaves_a_living_one_alone(self, opened):
        await opened("unix")

        with pytest.raises(OSError, match="in use by another agent; use another --socket"):
            await opened("unix")

    async def test_leaves_a_file_alone(self, taking, opened):
        (taking.directory / "agent.sock").write_text("precious")

        with pytest.raises(OSError, match="is no socket"):
            await opened("unix")

    async def test_is_gone_afterwards(self, taking, opened):
        source = await opened("unix")
        await source.stop()

        assert not (taking.directory / "agent.sock").exists()

    async def test_with_too_long_a_path_is_an_error_that_says_so(self, taking):
        source = SOURCES.build("unix", {"path": "/tmp/" + "x" * 200})

        with pytest.raises(ConfigError, match="at most 107 bytes"):
            await source.start(taking.door())


class TestTcp:
    async def test_takes_frames_on_loopback_without_a_token(self, opened, sender, frame):
        one = sender(address_of(await opened("tcp", listen="127.0.0.1:0")))
        await one.send(b"qmon-token of somebody careful")
        await one.send(frame(1))

        assert {1} == await one.acknowledged(1)

    async def test_takes_nothing_without_the_token_it_wants(self, opened, sender, frame):
        source = await opened("tcp", listen="127.0.0.1:0", token_required=True)
        one = sender(address_of(source))
        await one.send(frame(1))

        answer = await one.hear()

        assert (0, "the first message must be a token with scope ingest") == answer.rejected[0]
        assert await one.hear() is None

    async def test_takes_frames_behind_the_right_token(self, opened, sender, frame):
        source = await opened("tcp", listen="127.0.0.1:0", token_required=True)
        one = sender(address_of(source))
        await one.send(b"qmon-token secret")
        await one.send(frame(1))

        assert {1} == await one.acknowledged(1)

    async def test_passes_over_a_declared_64_mb(self, opened, sender, frame):
        one = sender(address_of(await opened("tcp", listen="127.0.0.1:0")))
        loop = asyncio.get_running_loop()
        large = frame(1) + bytes(64 << 20)
        sending = asyncio.create_task(loop.sock_sendall(one.connection, pack_length(large)))

        answer = await one.hear()
        await sending
        await one.send(frame(2))

        assert ((1, "oversize"),) == answer.rejected
        assert {2} == await one.acknowledged(1)

    async def test_hangs_up_on_another_language(self, opened, sender):
        one = sender(address_of(await opened("tcp", listen="127.0.0.1:0")))
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(one.connection, b"GET / HTTP/1.1\r\n" + bytes(8192))

        assert "undecodable" == (await one.hear()).rejected[0][1]
        assert await one.hear() is None


class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path, missing):
        if shutil.which("openssl") is None:
            missing("openssl")
        paths = tmp_path / "key.pem", tmp_path / "certificate.pem"
        made = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
        names = ["subjectAltName=DNS:localhost", "-keyout", str(paths[0]), "-out", str(paths[1])]
        subprocess.run([*made.split(), *names], check=True, capture_output=True)
        return {"key": str(paths[0]), "certificate": str(paths[1])}

    async def test_takes_frames_over_tls(self, opened, frame, certificate):
        source = await opened("tcp", listen="127.0.0.1:0", **certificate)
        context = ssl.create_default_context(cafile=certificate["certificate"])
        reader, writer = await asyncio.open_connection(
            *address_of(source), ssl=context, server_hostname="localhost"
        )
        writer.write(pack_length(frame(1)))

        length = int.from_bytes(await reader.readexactly(4), "big")
        answer = decode_ack(await reader.readexactly(length))
        writer.close()

        assert (1,) == answer.sequences

    async def test_names_the_file_that_is_no_certificate(self, taking, tmp_path):
        (tmp_path / "empty").touch()
        options = {"listen": "127.0.0.1:0", "certificate": str(tmp_path / "empty")}

        with pytest.raises(ConfigError, match=r"sources\.tcp\.certificate"):
            await SOURCES.build("tcp", {"enabled": True, **options}).start(taking.door())


class TestSpool:
    async def test_takes_finished_files_and_deletes_them(self, taking, opened):
        taking.door().spool.mkdir()
        file = taking.door().spool / "aa-1.frames"
        file.write_bytes(b"".join(pack_length(taking.frame(n)) for n in range(1, 11)))

        await opened("spool", interval_s=0.01)
        await until(lambda: not file.exists())

        assert 10 == len(taking.records())

    async def test_takes_what_is_before_a_tear(self, taking, opened):
        taking.door().spool.mkdir()
        file = taking.door().spool / "aa-1.frames"
        file.write_bytes(pack_length(taking.frame(1)) + pack_length(taking.frame(2))[:-1])

        await opened("spool", interval_s=0.01)
        await until(lambda: not file.exists())

        assert 1 == len(taking.records())


class TestBackPressure:
    @pytest.fixture
    def admission_options(self):
        return AdmissionOptions(frames_per_s=100, burst_s=0.1)

    async def test_reads_a_greedy_sender_no_faster_than_agreed(self, taking, opened, sender):
        await opened("unix")
        one = sender(taking.directory / "agent.sock", PACKETS)
        began = asyncio.get_running_loop().time()
        for sequence in range(1, 61):
            await one.send(taking.frame(sequence))
        await one.acknowledged(60)

        assert asyncio.get_running_loop().time() - began >= 0.4


class TestRoom:
    async def test_nothing_is_read_while_memory_is_full(self, taking, opened, sender):
        await opened("unix")
        one = sender(taking.directory / "agent.sock", PACKETS)
        taking.admission.hold(1 << 40)
        for sequence in range(1, 4):
            await one.send(taking.frame(sequence))
        await asyncio.sleep(0.1)
        before = taking.vitals.count("frames_received")
        taking.admission.release(1 << 40)

        assert {1, 2, 3} == await one.acknowledged(3)
        assert before <= 1

    async def test_not_now_ends_the_connection_so_that_all_is_sent_again(
        self, taking, opened, sender
    ):
        await opened("unix")
        one = sender(taking.directory / "agent.sock", PACKETS)
        await taking.committer.close()
        await one.send(taking.frame(1))

        assert await one.hear() is None


class TestFramesOverHttp:
    @pytest.fixture
    async def client(self, taking, opened):
        transport = httpx.ASGITransport(await opened("frames_http"))
        async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
            yield client

    async def test_answers_when_all_is_on_disk(self, taking, client):
        body = pack_length(taking.frame(1)) + pack_length(taking.frame(2)) + pack_length(b"garbage")

        answer = await client.post("/", content=body)

        assert 200 == answer.status_code
        assert ([1, 2], [[0, "undecodable"]]) == tuple(answer.json().values())[:2]
        assert 2 == len(taking.records())

    async def test_refuses_a_body_that_is_torn(self, client, frame):
        answer = await client.post("/", content=pack_length(frame(1))[:-1])

        assert (400, "torn") == (answer.status_code, answer.json()["reason"])

    async def test_asks_to_come_back_when_memory_is_full(self, taking, client):
        taking.admission.hold(1 << 40)

        answer = await client.post("/", content=pack_length(taking.frame(1)))
        taking.admission.release(1 << 40)

        assert (429, "1") == (answer.status_code, answer.headers["retry-after"])


def address_of(source):
    host, _, port = source.describe()["listen"].rpartition(":")
    return host, int(port)


async def until(is_so):
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.01)
