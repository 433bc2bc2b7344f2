"""What a DSN leads to, and what one that makes no sense does."""

import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmon_sdk.protocol.frames import Ack, Frame, encode_ack, encode_frame, pack_length
from qmon_sdk.settings import Settings
from qmon_sdk.transports import SCHEMES, SilentTransport, open_transport
from qmon_sdk.transports.address import Address, AddressError
from qmon_sdk.transports.memory import MemoryTransport


def opened(dsn: str):
    return open_transport(Settings(dsn=dsn))


def message(sequence: int) -> bytes:
    return pack_length(encode_frame(Frame(process=bytes(16), sequence=sequence)))


class TestAddress:
    @pytest.mark.parametrize(
        ("dsn", "parts"),
        [
            ("unix:///run/qmon/agent.sock", ("unix", "", "", 0, "/run/qmon/agent.sock")),
            ("unix:relative.sock", ("unix", "", "", 0, "relative.sock")),
            ("tcp://localhost:7691", ("tcp", "", "localhost", 7691, "")),
            ("TLS://TOKEN@[::1]:7691", ("tls", "TOKEN", "::1", 7691, "")),
            ("https://TOKEN@agent.example", ("https", "TOKEN", "agent.example", 0, "")),
            ("http://TOKEN:x@h:80/behind/1", ("http", "TOKEN", "h", 80, "/behind/1")),
            ("memory:", ("memory", "", "", 0, "")),
        ],
    )
    def test_is_taken_apart(self, dsn, parts):
        assert parts == tuple(Address.parse(dsn))

    @pytest.mark.parametrize("dsn", ["", "agent.sock", "tcp://", "tcp://:80", "tcp://h:port"])
    def test_that_makes_no_sense_is_an_error(self, dsn):
        with pytest.raises(AddressError):
            Address.parse(dsn)


class TestOpening:
    @pytest.mark.parametrize(
        ("dsn", "words"),
        [
            ("ftp://h", "unknown scheme 'ftp'; known: unix, tcp"),
            ("agent.sock", "no scheme"),
            ("tcp://h", "no port"),
            ("tcp://h:99999", "99999"),
        ],
    )
    def test_a_dsn_that_makes_no_sense_gives_silence_with_a_reason(self, dsn, words):
        transport = opened(dsn)

        assert isinstance(transport, SilentTransport)
        assert not transport.send(b"x")
        assert not transport.poll().connected
        assert transport.trouble.startswith("dsn: ")
        assert words in transport.trouble

    @given(
        dsn=st.one_of(
            st.text(), st.builds("{}://{}".format, st.sampled_from([*SCHEMES]), st.text())
        )
    )
    @settings(max_examples=100, deadline=None)
    def test_never_raises_whatever_the_dsn(self, dsn):
        transport = opened(dsn)
        transport.send(message(1))
        transport.close()

    def test_without_a_dsn_takes_the_socket(self, tmp_path):
        transport = open_transport(Settings(socket=str(tmp_path / "agent.sock")))

        assert f"unix://{tmp_path}/agent.sock" in transport.trouble

    def test_a_host_name_that_cannot_be_is_explained(self):
        transport = opened(f"tcp://{'x' * 70}..:7691")

        assert not transport.poll().connected
        assert "no possible host name" in transport.trouble


class TestMemory:
    def test_keeps_messages_and_acknowledges_them(self):
        transport = opened("memory:")
        assert isinstance(transport, MemoryTransport)
        transport.send(message(1))

        assert (1,) == transport.poll().acknowledged
        assert () == transport.poll().acknowledged
        assert [message(1)[4:]] == transport.frames

    def test_can_play_an_agent_that_is_away_and_returns(self):
        transport = MemoryTransport(connected=False)
        assert not transport.send(message(1))
        transport.connected = True

        assert transport.poll().reconnected
        assert not transport.poll().reconnected
        assert transport.send(message(1))

    def test_can_play_an_agent_that_keeps_silent(self):
        transport = MemoryTransport(acknowledges=False)
        transport.send(message(1))

        assert () == transport.poll().acknowledged


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path):
        certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
        command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
        command += " -addext subjectAltName=DNS:localhost"
        places = ["-keyout", str(key), "-out", str(certificate)]
        subprocess.run([*command.split(), *places], check=True, capture_output=True)
        return certificate, key

    @pytest.fixture
    def server(self, certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, certificate))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = TlsServer(listener, context)
            yield server
            server.join(10)

    def test_carries_token_frames_and_answers(self, server, certificate, monkeypatch):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        transport = opened(f"tls://TOKEN@localhost:{server.port}")
        server.start()
        wait_for(lambda: transport.poll().connected and transport.send(message(1)))
        wait_for(lambda: 1 in transport.poll().acknowledged)
        transport.close()
        server.join(10)

        assert pack_length(b"qmon-token TOKEN") + message(1) == server.received

    def test_refuses_a_server_it_cannot_trust(self, server):
        transport = opened(f"tls://localhost:{server.port}")
        server.start()
        wait_for(lambda: transport.poll() and transport.trouble)

        assert "certificate" in transport.trouble.lower()
        assert not transport.send(message(1))
        transport.close()


class TlsServer(threading.Thread):
    """Takes one connection, acknowledges frame 1 when it has seen it, and keeps what came."""

    def __init__(self, listener: socket.socket, context: ssl.SSLContext) -> None:
        super().__init__(daemon=True)
        self.listener, self.context, self.received = listener, context, b""
        self.port = listener.getsockname()[1]

    def run(self) -> None:
        try:
            with self.context.wrap_socket(
                self.listener.accept()[0], server_side=True
            ) as connection:
                connection.settimeout(5)
                while not self.received.endswith(message(1)):
                    self.received += connection.recv(1 << 16)
                connection.sendall(pack_length(encode_ack(Ack(sequences=(1,)))))
                connection.recv(1)
        except OSError:
            return


def wait_for(condition, *, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
