"""Syslog as RFC 5424 has it: rsyslog, syslog-ng, or a SIEM, by UDP, TCP or TLS."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from qmon_agent.domain.bounds import Bytes, Seconds
from qmon_agent.domain.kinds import Kind
from qmon_agent.forward.batch import Batch
from qmon_agent.settings.certificates import tls_context

from ._documents import Document, documents_of, told_time
from ._places import host_and_port
from ._resuming import Message, ResumingSink

_SEVERITY = {
    "fatal": 2, "critical": 2, "error": 3, "warning": 4, "warn": 4, "notice": 5, "info": 6,
    "debug": 7, "trace": 7,
}  # fmt: skip
_FACILITIES = {"user": 1, "daemon": 3, **{f"local{number}": 16 + number for number in range(8)}}
_QUOTED = str.maketrans({"\\": r"\\", '"': r"\"", "]": r"\]"})
_NOT_IN_NAMES = str.maketrans(dict.fromkeys('="] ', "_"))
# The number that RFC 5612 keeps for what has none of its own.
_ELEMENT = "qmon@32473"
_UDP_BYTES = 8192


class SyslogSink(ResumingSink, kw_only=True, forbid_unknown_fields=True):
    """A line per signal; batch and line are in its structured data, so that doubles are seen.

    Syslog does not answer: what is in the kernel's hands when a connection breaks may be lost.
    """

    address: str
    """Where to, `host:port`."""
    transport: Literal["udp", "tcp", "tls"] = "tcp"
    """How; with `tcp` and `tls` each line is preceded by its length (RFC 6587)."""
    facility: Literal[
        "user", "daemon", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
        "local7",
    ] = "user"  # fmt: skip
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
        most = _UDP_BYTES if self.transport == "udp" else self.max_line_bytes
        for document in documents_of(batch, self.kinds):
            line = self._line(batch.id, document).encode("utf-8", "replace")[:most]
            framed = line if self.transport == "udp" else b"%d %s" % (len(line), line)
            yield Message(data=framed)

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

    def _line(self, batch: str, document: Document) -> str:
        who = document.frame.resource
        priority = _FACILITIES[self.facility] * 8 + _SEVERITY.get(document.level, 6)
        name = f"{_word(who.host, 255)} {_word(who.service, 48)} {who.pid or '-'} {document.kind}"
        told = {"batch": batch, "line": str(document.line), **_ids(document)}
        data = "".join(f' {key}="{value.translate(_QUOTED)}"' for key, value in told.items())
        text = " ".join(document.sentence.splitlines())
        time = told_time(document.row.time)
        # Six digits of a second are what the RFC has room for.
        return f"<{priority}>1 {time[:-4]}Z {name} [{_ELEMENT}{data}] \ufeff{text}"


def _word(text: str, most: int) -> str:
    """A field of the head: printable, without spaces, and `-` for none."""
    return "".join(letter for letter in text if "!" <= letter <= "~")[:most] or "-"


def _ids(document: Document) -> dict[str, str]:
    fields = document.fields()
    ids = ("trace_id", "span_id", "user_id", "session_id", "error_id", "culprit", "logger")
    told = {key: str(fields[key]) for key in ids if fields.get(key)}
    for key, value in document.row.attributes.items():
        told.setdefault(_word(key.translate(_NOT_IN_NAMES), 32), value)
    return told
