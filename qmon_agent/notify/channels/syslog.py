"""A line to syslog as RFC 5424 has it: rsyslog, syslog-ng, or a SIEM, by UDP, TCP or TLS."""

from __future__ import annotations

import asyncio
import socket
from typing import ClassVar, Literal
from urllib.parse import urlsplit

import msgspec

from qmon_agent.domain.bounds import Seconds
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.reaching import Course, words_of
from qmon_agent.domain.syslog import UDP_BYTES, Facility, Line, framed, name_of, written
from qmon_agent.notify.message import Message, moment
from qmon_agent.settings.certificates import tls_context

from . import DELIVERED, Delivery

_STREAM_BYTES = 65_536
_DATA = 20


class SyslogChannel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line per message; its key is in the structured data, so that doubles are seen.

    Syslog does not answer: what the receiver's machine had not read may be lost.
    """

    address: str
    """Where to, `host:port`."""
    transport: Literal["udp", "tcp", "tls"] = "tcp"
    """How; with `tcp` and `tls` each line is preceded by its length (RFC 6587)."""
    facility: Facility = "daemon"
    """Which facility the lines have."""
    ca_file: str = ""
    """Of `tls`: certificates to trust instead of the usual ones, as PEM."""
    certificate: str = ""
    """Of `tls`: file of our own certificate chain, for a receiver that wants one."""
    key: str = ""
    """File of that certificate's private key, unless it is in the same file."""
    timeout_s: Seconds = 10.0
    """How long the receiver may take to connect, and to take a line."""

    IS_LOG: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._place()

    async def send(self, message: Message) -> Delivery:
        """A connection of its own for each: who hung up meanwhile is known at once."""
        line, course = self._line(message), Course()
        try:
            await asyncio.to_thread(self._give, line, course)
        except OSError as error:
            said = words_of(error, course, limit_s=self.timeout_s) or type(error).__name__
            untold = course.has_said_nothing
            return Delivery(outcome="retry", detail=f"{self.address}: {said}", untold=untold)
        return DELIVERED

    def _place(self) -> tuple[str, int]:
        try:
            split = urlsplit(f"//{self.address}")
            host, port = split.hostname, split.port
        except ValueError:
            host = port = None
        if not host or not port:
            raise ConfigError("address", f"{self.address!r} is no host:port")
        return host, port

    def _give(self, line: bytes, course: Course) -> None:
        host, port = self._place()
        if self.transport == "udp":
            family, kind, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind) as link:
                link.settimeout(self.timeout_s)
                link.sendto(line, place)
            return
        with socket.create_connection((host, port), self.timeout_s) as plain:
            if self.transport == "tcp":
                course.stage = "giving"
                _all(plain, line)
                return
            course.stage = "tls"
            context = tls_context(self.ca_file, self.certificate, self.key)
            with context.wrap_socket(plain, server_hostname=host) as safe:
                course.stage = "giving"
                _all(safe, line)

    def _line(self, message: Message) -> bytes:
        notice = message.notice
        labels = [*notice.labels.items()][:_DATA]
        line = Line(
            facility=self.facility,
            level="notice" if notice.status == "resolved" else notice.severity,
            time=moment(message.sent_at),
            host=socket.gethostname(),
            program="qmon",
            kind=f"alert.{notice.status}",
            data={
                "key": message.key,
                "incident": notice.incident,
                "alert": notice.alert,
                **{f"label.{name}"[:32]: value for name, value in _named(labels)},
            },
            text=f"{message.title} {message.link}".rstrip(),
        )
        if self.transport == "udp":
            return written(line, most_bytes=UDP_BYTES)
        return framed(written(line, most_bytes=_STREAM_BYTES))


def _named(labels: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name_of(name), value) for name, value in labels]


def _all(link: socket.socket, line: bytes) -> None:
    """Write it, and say that nothing follows: the other side reads to the end."""
    link.sendall(line)
    link.shutdown(socket.SHUT_WR)
