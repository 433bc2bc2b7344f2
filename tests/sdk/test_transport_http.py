"""The HTTP transport against a real server, well and unwell."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from qmon_sdk.protocol.frames import Frame, encode_frame, pack_length, peek, split_messages
from qmon_sdk.settings import Settings
from qmon_sdk.transports import open_transport
from qmon_sdk.transports.http import OUTBOX_BYTES


def message(sequence: int) -> bytes:
    return pack_length(encode_frame(Frame(process=bytes(16), sequence=sequence)))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        sequences = [peek(frame).sequence for frame in split_messages(body)]
        self.server.seen.append((self.path, self.headers.get("Authorization"), sequences))
        answer = {"acknowledged": sequences, "rejected": self.server.rejected, "refused": []}
        content = self.server.content or json.dumps(answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Tests are quiet."""


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.seen, server.status, server.rejected, server.content = [], 200, [], b""
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture
def transport(server):
    transport = opened(f"http://secret@127.0.0.1:{server.server_port}")
    yield transport
    transport.close()


def opened(dsn: str):
    return open_transport(Settings(dsn=dsn))


def poll_until_connected(transport):
    deadline = time.monotonic() + 5
    while not (poll := transport.poll()).connected:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return poll


class TestHttp:
    def test_posts_what_it_took_with_its_token_and_brings_back_acknowledgements(
        self, transport, server
    ):
        assert transport.send(message(1))
        assert transport.send(message(2))

        assert (1, 2) == transport.poll().acknowledged
        assert [("/api/qmon/frames", "Bearer secret", [1, 2])] == server.seen

    def test_talks_to_nobody_when_there_is_nothing_to_say(self, transport, server):
        assert transport.poll().connected
        assert [] == server.seen

    def test_brings_back_refusals_with_their_reason(self, transport, server):
        server.rejected = [[1, "oversize"]]
        transport.send(message(1))

        assert ((1, "oversize"),) == transport.poll().rejected

    @pytest.mark.parametrize(
        ("status", "words"),
        [(401, "token"), (403, "scope ingest"), (404, "no agent"), (502, "502")],
    )
    def test_explains_an_answer_that_is_none(self, server, status, *, words):
        server.status = status
        transport = opened(f"http://secret@127.0.0.1:{server.server_port}")
        transport.send(message(1))

        assert not transport.poll().connected
        assert words in transport.trouble
        assert "secret" not in transport.trouble
        transport.close()

    def test_takes_what_was_acknowledged_from_a_partial_refusal(self, transport, server):
        server.status = 503
        transport.send(message(1))
        poll = transport.poll()

        assert (1,) == poll.acknowledged
        assert not poll.connected

    def test_survives_an_answer_that_is_no_json(self, transport, server):
        server.content = b"<html>proxy</html>"
        transport.send(message(1))

        assert not transport.poll().connected
        assert not transport.send(message(2))

    def test_asks_to_send_again_once_the_agent_is_back(self, transport, server):
        server.status = 500
        transport.send(message(1))
        transport.poll()
        server.status = 200

        assert poll_until_connected(transport).reconnected
        assert transport.send(message(1))
        assert (1,) == transport.poll().acknowledged
        assert "" == transport.trouble

    def test_takes_no_more_than_its_outbox_holds(self, transport):
        taken = 0
        while transport.send(bytes(100_000)):
            taken += 1

        assert taken <= OUTBOX_BYTES // 100_000 + 2

    def test_says_that_nobody_is_there(self, free_port):
        transport = opened(f"http://127.0.0.1:{free_port}")
        transport.send(message(1))

        assert not transport.poll().connected
        assert "refused" in transport.trouble

    def test_close_ends_the_wait_for_an_agent_that_hangs(self):
        with socket.create_server(("127.0.0.1", 0)) as hung:
            transport = opened(f"http://127.0.0.1:{hung.getsockname()[1]}")
            transport.send(message(1))
            poller = threading.Thread(target=transport.poll)
            poller.start()
            connection, _ = hung.accept()
            connection.recv(1)
            begun = time.monotonic()
            transport.close()
            poller.join()
            connection.close()

        assert time.monotonic() - begun < 1
