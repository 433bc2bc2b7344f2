"""Sinks, and the source `nats`, whose other side wants a certificate of theirs, over real TLS."""

from __future__ import annotations

import asyncio
import ssl
import time

import httpx
import pytest
import trustme
from ports import free_port
from servers import Server, program_here

from qmon_agent.forward.batch import Batch
from qmon_agent.forward.sinks import SINKS
from qmon_agent.forward.sinks._http import HttpSink
from qmon_agent.ingest.sources import SOURCES
from qmon_agent.journal import JournalReader
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, decode_ack, encode_frame, pack_length

BY_HTTP = [name for name in SINKS.names() if issubclass(SINKS.find(name), HttpSink)]
NAMES = (("agent.example",), ("localhost", "127.0.0.1"))
TOLD_ELSEWHERE = {"otlp"}  # its peer is not among the shared ones; it is an EndpointSink as others


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def told(authority, tmp_path):
    """`told(names)`: the options of that name, of files that are there."""
    ours, theirs = (authority.issue_cert(*names) for names in NAMES)
    paths = {name: str(tmp_path / name) for name in ("ca_file", "certificate", "key")}
    authority.cert_pem.write_to_path(paths["ca_file"])
    ours.cert_chain_pems[0].write_to_path(paths["certificate"])
    ours.private_key_pem.write_to_path(paths["key"])
    theirs.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    theirs.private_key_pem.write_to_path(tmp_path / "server.key")
    return lambda *names: {name: paths[name] for name in names}


@pytest.fixture
def wants_certificates(authority):
    """How a server listens that knows its clients by their certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def a_batch(signal):
    frame = Frame(
        process=bytes(16), sequence=1, resource=Resource(service="shop"), blocks=blocks_of([signal])
    )
    return Batch(id="b", frames=(frame,), payloads=(encode_frame(frame),))


@pytest.mark.parametrize("name", [name for name in BY_HTTP if name not in TOLD_ELSEWHERE])
class TestSinkByHttp:
    @pytest.fixture
    def side(self, name, peers, tmp_path, wants_certificates):
        side = peers.SIDES[name](tmp_path)
        listening = side.receiver.socket
        side.receiver.socket = wants_certificates.wrap_socket(listening, server_side=True)
        yield side
        side.close()

    @pytest.fixture
    def sent(self, name, side, sink_with):
        def send(**options):
            place = side.at(side.receiver.url.replace("http:", "https:"))
            sink = sink_with(name, **{**place, "timeout_s": 10, **options})
            return sink.send(a_batch(side.signal("once"))).outcome

        return send

    def test_shows_its_certificate(self, sent, told, side):
        assert "delivered" == sent(**told("ca_file", "certificate", "key"))
        assert [("b", "once")] == side.arrived()

    def test_waits_without_one(self, sent, told, side):
        assert ("retry", []) == (sent(**told("ca_file")), side.arrived())

    def test_trusts_no_stranger(self, sent, told, side):
        assert ("retry", []) == (sent(**told("certificate", "key")), side.arrived())


class TestAgent:
    """Another agent, whose port wants certificates."""

    @pytest.fixture
    def http_options(self, told, tmp_path):
        authority = told("ca_file")["ca_file"]
        files = {"certificate": tmp_path / "server.pem", "key": tmp_path / "server.key"}
        files["client_authority"] = authority
        return "\n".join(f'{name} = "{path}"' for name, path in files.items())

    @pytest.fixture
    async def sink(self, agent, sink_with, told):
        token = (await agent.desk.create_token("ingest", name="", ttl_s=60))["token"]
        place = agent.ready["url"].replace("127.0.0.1", "localhost")
        return lambda **options: sink_with("native", endpoint=place, token=token, **options)

    async def test_takes_frames_of_who_has_one(self, agent, sink, told, peers):
        one = sink(**told("ca_file", "certificate", "key"))

        said = await asyncio.to_thread(one.send, a_batch(peers.SIDES["native"].signal("once")))

        records = JournalReader(agent._plan.locations.journal).read(max_bytes=1 << 20)
        assert agent.ready["url"].startswith("https://")
        assert ("delivered", [bytes(16)]) == (
            said.outcome,
            [each.process for each in records if each.process == bytes(16)],
        )

    async def test_hears_nobody_else(self, sink, told, peers):
        one = sink(**told("ca_file"))

        said = await asyncio.to_thread(one.send, a_batch(peers.SIDES["native"].signal("x")))

        assert "retry" == said.outcome

    async def test_keeps_its_cookies_for_itself(self, agent, told):
        context = ssl.create_default_context(cafile=told("ca_file")["ca_file"])
        context.load_cert_chain(*told("certificate", "key").values())
        place = agent.ready["signin"].replace("127.0.0.1", "localhost")
        async with httpx.AsyncClient(verify=context) as client:
            answer = await client.get(place)

        assert (200, True) == (answer.status_code, "; Secure" in answer.headers["set-cookie"])


class TestTcpSource:
    async def test_hears_who_has_a_certificate(self, taking, told, tmp_path, frame):
        source = SOURCES.build(
            "tcp",
            {
                "enabled": True,
                "listen": "127.0.0.1:0",
                "certificate": str(tmp_path / "server.pem"),
                "key": str(tmp_path / "server.key"),
                "client_authority": told("ca_file")["ca_file"],
            },
        )
        await source.start(taking.door())
        host, port = source.describe()["listen"].split(":")
        context = ssl.create_default_context(cafile=told("ca_file")["ca_file"])
        stranger = await asyncio.open_connection(host, port, ssl=context)
        with pytest.raises((ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)):
            await stranger[0].readexactly(1)

        context.load_cert_chain(*told("certificate", "key").values())
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
        writer.write(pack_length(frame(1)))
        length = int.from_bytes(await reader.readexactly(4), "big")
        answer = decode_ack(await reader.readexactly(length))
        for each in (writer, stranger[1]):
            each.close()
        await source.stop()

        assert (1,) == answer.sequences


class TestSyslog:
    @pytest.fixture
    def side(self, peers, tmp_path, wants_certificates):
        side = peers.SIDES["syslog"](tmp_path)
        side.shut()
        side.within = wants_certificates
        side.listen()
        yield side
        side.close()

    def test_shows_its_certificate(self, side, sink_with, told):
        options = {**side.options, "transport": "tls", **told("ca_file", "certificate", "key")}

        said = sink_with("syslog", **options).send(a_batch(side.signal("once")))

        assert ("delivered", [("b", "once")]) == (said.outcome, side.arrived())

    def test_waits_where_it_knows_nobody(self, side, sink_with, told):
        options = {**side.options, "transport": "tls", **told("certificate", "key")}

        assert "retry" == sink_with("syslog", **options).send(a_batch(side.signal("x"))).outcome


class TestNats:
    """By TLS with certificates on both sides, and a token besides."""

    @pytest.fixture
    def server(self, told, tmp_path, missing):
        files = [f"--tlscert={tmp_path}/server.pem", f"--tlskey={tmp_path}/server.key"]
        files += [f"--tlscacert={told('ca_file')['ca_file']}", "--tlsverify", "--auth=secret"]
        try:
            program = program_here("nats-server", "nats-server")
        except Exception as error:  # noqa: BLE001 - it says how to get it
            missing(str(error))
        port = free_port()
        where = ["-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(tmp_path / "streams")]
        server = Server([program, *where, *files], port=port).wait()
        server.url = f"tls://localhost:{port}"
        yield server
        server.stop()

    async def test_frames_go_through_to_who_has_both(self, server, told, sink_with, taking, peers):
        known = {"servers": [server.url], "token": "secret"}
        known |= told("ca_file", "certificate", "key")
        await make_stream(server, known)
        source = SOURCES.build("nats", {"enabled": True, **known})
        await source.start(taking.door())

        sink = sink_with("nats", **known)
        signal = peers.NatsSide.signal("once")
        said = await asyncio.to_thread(sink.send, a_batch(signal))

        await until(taking.rows)
        await source.stop()
        assert ("delivered", ["once"]) == (said.outcome, [row.name for row in taking.rows()])

    @pytest.mark.parametrize("lacks", ["token", "certificate"])
    def test_waits_without(self, lacks, server, told, sink_with, peers):
        known = {"servers": [server.url], "token": "secret", "timeout_s": 2}
        known |= told("ca_file", "certificate", "key")
        known |= {lacks: "", "key": known["key"] if lacks == "token" else ""}

        said = sink_with("nats", **known).send(a_batch(peers.NatsSide.signal("x")))

        assert "retry" == said.outcome


async def make_stream(server, known):
    import nats

    context = ssl.create_default_context(cafile=known["ca_file"])
    context.load_cert_chain(known["certificate"], known["key"])
    client = await nats.connect(server.url, token="secret", tls=context)
    await client.jetstream().add_stream(name="frames", subjects=["qmon.frames"])
    await client.close()


async def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
