"""Who takes mail and lines of logs: aiosmtpd with STARTTLS, and a listener for syslog."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import threading
from email import message_from_bytes
from email.policy import default
from queue import Queue

import trustme
from aiosmtpd.smtp import SMTP, AuthResult


class Postbox:
    """Takes mail for `ops@example.org`; `answers` are what it says to the next ones."""

    USER, PASSWORD = "qmon", "secretsecretsecret"

    def __init__(self, *, starttls=True, tls=False):
        self.taken, self.envelopes, self.answers, self.signed_in = [], [], [], []
        authority = trustme.CA()
        self.room = tempfile.TemporaryDirectory(prefix="qmon-postbox-")
        self.ca_file = f"{self.room.name}/ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(context)
        self.settings = {
            "hostname": "localhost",
            "tls_context": context if starttls and not tls else None,
            "require_starttls": starttls and not tls,
            "authenticator": self._known,
            "auth_require_tls": not tls,
        }
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        serving = self.loop.create_server(
            lambda: SMTP(self, loop=self.loop, **self.settings),
            "127.0.0.1",
            0,
            ssl=context if tls else None,
        )
        self.server = asyncio.run_coroutine_threadsafe(serving, self.loop).result(10)
        self.port = self.server.sockets[0].getsockname()[1]

    def options(self):
        return {
            "host": "localhost",
            "port": self.port,
            "sender": "qmon@example.org",
            "to": ["ops@example.org"],
            "ca_file": self.ca_file,
            "timeout_s": 5.0,
        }

    def close(self):
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()
        self.room.cleanup()

    async def _end(self):
        self.server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _known(self, _server, _session, _envelope, _mechanism, data):
        name, word = data.login.decode(), data.password.decode()
        is_known = (name, word) == (self.USER, self.PASSWORD)
        self.signed_in += [name] if is_known else []
        return AuthResult(success=is_known, handled=False)

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd's
        if address.startswith("nobody"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's
        if self.answers:
            return self.answers.pop(0)
        self.envelopes.append(envelope)
        self.taken.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"


class LogTaker:
    """Reads lines as RFC 6587 frames them, by TLS where there is a context for it."""

    def __init__(self, context=None):
        self.context = context
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.lines = Queue()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)

    def _serve(self):
        while True:
            try:
                link, _ = self.socket.accept()
            except OSError:
                return
            heard = self._heard(link)
            size, _, line = heard.partition(b" ")
            assert int(size) == len(line)
            self.lines.put(line.decode())

    def _heard(self, link):
        if self.context:
            try:
                link = self.context.wrap_socket(link, server_side=True)
            except ssl.SSLError:
                return b"0 "  # who does not know us hangs up
        with link:
            return b"".join(iter(lambda: link.recv(1 << 16), b""))
