"""Whether a name server answers, and answers right."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from pathlib import Path

import msgspec

from qmon_agent.domain.bounds import Port
from qmon_agent.domain.errors import ConfigError, nearest_to

from . import Checked, Number, UnknownError
from ._link import Stopwatch

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33}
CODES = {1: "format_error", 2: "server_failure", 3: "no_such_name", 4: "not_implemented"}
_HEAD, _ROW = struct.Struct("!6H"), struct.Struct("!HHIH")
_INTERNET = 1
_ASK = 0x0100  # recursion, please
_POINTER = 0xC0
_MAX_LABEL = 63


class DnsProbe(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Asks a name server for a record, over UDP, without the system's resolver."""

    query: str
    """The name that is looked up."""
    type: str = "A"
    """The type of record."""
    server: str = ""
    """The server's address; empty means the first that this machine uses."""
    port: Port = 53
    """The server's port."""
    expect: tuple[str, ...] = ()
    """Addresses of which at least one has to be in the answer."""

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            known = nearest_to(self.type, TYPES) or tuple(TYPES)
            raise ConfigError("type", f"no type {self.type!r}", known)
        if any(not 0 < len(each) <= _MAX_LABEL for each in self._labels()):
            raise ConfigError("query", f"{self.query!r} is no name")

    @property
    def target(self) -> str:
        """Type and name, and who is asked."""
        return f"{self.type} {self.query} @{self.server or 'system'}"

    def check(self, timeout_s: float) -> Checked:
        """One question, and one answer that belongs to it."""
        watch = Stopwatch(timeout_s)
        server = self.server or _system_server()
        mark = int.from_bytes(os.urandom(2), "big")
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as link, watch.phase("first_byte"):
            link.connect((server, self.port))
            link.send(self._question(mark))
            heard = b""
            while heard[:2] != mark.to_bytes(2, "big"):
                link.settimeout(watch.left_s)
                heard = link.recv(4096)
        return self._judged(heard, watch)

    def _judged(self, heard: bytes, watch: Stopwatch) -> Checked:
        try:
            _, flags, _, count, _, _ = _HEAD.unpack_from(heard)
            addresses = _addresses(heard, count)
        except (struct.error, IndexError, ValueError):
            return Checked(problem="the answer cannot be read", type="garbled")
        number = Number(metric="probe.dns.answers", value=count, unit="{record}")
        numbers = (number, *watch.numbers())
        if code := flags & 15:
            kind = CODES.get(code, f"code_{code}")
            return Checked(problem=kind.replace("_", " "), type=kind, numbers=numbers)
        if not count:
            return Checked(problem="no such record", type="empty", numbers=numbers)
        if self.expect and not {*self.expect} & addresses:
            return Checked(problem="other addresses", type="answer", numbers=numbers)
        return Checked(numbers=numbers)

    def _labels(self) -> list[bytes]:
        return [each.encode("utf-8") for each in self.query.rstrip(".").split(".")]

    def _question(self, mark: int) -> bytes:
        name = b"".join(bytes([len(each)]) + each for each in self._labels())
        kind = struct.pack("!HH", TYPES[self.type], _INTERNET)
        return _HEAD.pack(mark, _ASK, 1, 0, 0, 0) + name + b"\0" + kind


def _system_server() -> str:
    try:
        text = Path("/etc/resolv.conf").read_text("utf-8", "replace")
    except OSError as problem:
        raise UnknownError("this machine names no name server") from problem
    servers = [line.split()[1] for line in text.splitlines() if line.startswith("nameserver ")]
    if not servers:
        raise UnknownError("this machine names no name server")
    return servers[0]


def _addresses(heard: bytes, count: int) -> set[str]:
    at = _after_name(heard, _HEAD.size) + 4
    found: set[str] = set()
    for _ in range(count):
        at = _after_name(heard, at)
        kind, _, _, length = _ROW.unpack_from(heard, at)
        at += _ROW.size
        if kind in (TYPES["A"], TYPES["AAAA"]):
            found.add(str(ipaddress.ip_address(heard[at : at + length])))
        at += length
    return found


def _after_name(heard: bytes, at: int) -> int:
    """Names end with an empty label, or point to where the rest was said before."""
    while heard[at]:
        if heard[at] >= _POINTER:
            return at + 2
        at += heard[at] + 1
    return at + 1
