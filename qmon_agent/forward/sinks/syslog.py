"""Syslog as RFC 5424 has it: rsyslog, syslog-ng, or a SIEM, by UDP, TCP or TLS."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from qmon_agent.domain.bounds import Bytes, Seconds
from qmon_agent.domain.kinds import Kind
from qmon_agent.domain.syslog import UDP_BYTES, Facility, Line, framed, name_of, written
from qmon_agent.forward.batch import Batch
from qmon_agent.settings.certificates import tls_context

from ._documents import Document, documents_of, told_time
from ._places import host_and_port
from ._resuming import Message, ResumingSink


class SyslogSink(ResumingSink, kw_only=True, forbid_unknown_fields=True):
    """A line per signal; batch and line are in its structured data, so that doubles are seen.

    Syslog does not answer: what is in the kernel's hands when a connection breaks may be lost.
    """

    address: str
    """Where to, `host:port`."""
    transport: Literal["udp", "tcp", "tls"] = "tcp"
    """How; with `tcp` and `tls` each line is preceded by its length (RFC 6587)."""
    facility: Facility = "user"
    """Which facility the lines have."""
    kinds: tuple[Kind, ...] = ("log", "error", "event", "session", "checkin", "finding")
    """Which kinds of signals go there."""
    ca_file: str = ""
    """Of `tls`: certificates to trust instead of the usual ones, as PEM."""
    certificate: str = ""
    """Of `tls`: file of our own certificate chain, for a receiver that wants one."""
    key: str = ""
    """File of that certificate's private key, unless it is in the same file."""
    timeout_s: Seconds = 10.0
    """How long the receiver may take to connect, and to take a line."""
    max_line_bytes: Bytes = 65_536
    """A line that is longer is cut; by UDP the most are 8192."""
    _socket: Any = None

    def __post_init__(self) -> None:
        host_and_port("address", self.address)

    def describe(self) -> Mapping[str, Any]:
        return {"address": self.address, "transport": self.transport}

    def messages(self, batch: Batch) -> Iterator[Message]:
        most = UDP_BYTES if self.transport == "udp" else self.max_line_bytes
        for document in documents_of(batch, self.kinds):
            line = written(self._line(batch.id, document), most_bytes=most)
            yield Message(data=line if self.transport == "udp" else framed(line))

    def give(self, message: Message) -> None:
        """A connection that broke may have lost what the kernel had: all of it comes again."""
        try:
            self._open().sendall(message.data)
        except OSError:
            self._batch = ""
            raise

    def end(self) -> None:
        """A receiver that hung up meanwhile has not taken all of it."""
        link = self._open()
        link.setblocking(False)
        try:
            if link.recv(1) == b"" and self.transport != "udp":
                self._batch = ""
                raise ConnectionResetError("the receiver hung up")
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            if "SSLWant" not in type(error).__name__:
                self._batch = ""
                raise
        finally:
            link.settimeout(self.timeout_s)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _open(self) -> socket.socket:
        if self._socket is None:
            self._socket = self._connected()
        opened: socket.socket = self._socket
        return opened

    def _connected(self) -> socket.socket:
        place = host_and_port("address", self.address)
        if self.transport == "udp":
            family = socket.getaddrinfo(*place, type=socket.SOCK_DGRAM)[0][0]
            made = socket.socket(family, socket.SOCK_DGRAM)
            made.settimeout(self.timeout_s)
            made.connect(place)
            return made
        link = socket.create_connection(place, self.timeout_s)
        if self.transport == "tcp":
            return link
        context = tls_context(self.ca_file, self.certificate, self.key)
        return context.wrap_socket(link, server_hostname=place[0])

    def _line(self, batch: str, document: Document) -> Line:
        who = document.frame.resource
        return Line(
            facility=self.facility,
            level=document.level,
            # Six digits of a second are what the RFC has room for.
            time=f"{told_time(document.row.time)[:-4]}Z",
            host=who.host,
            program=who.service,
            process=str(who.pid or ""),
            kind=document.kind,
            data={"batch": batch, "line": str(document.line), **_ids(document)},
            text=document.sentence,
        )


def _ids(document: Document) -> dict[str, str]:
    fields = document.fields()
    ids = ("trace_id", "span_id", "user_id", "session_id", "error_id", "culprit", "logger")
    told = {key: str(fields[key]) for key in ids if fields.get(key)}
    for key, value in document.row.attributes.items():
        told.setdefault(name_of(key), value)
    return told
