"""Whether a host answers a ping, and how fast."""

from __future__ import annotations

import os
import socket
import struct
import time

import msgspec

from . import Checked, Number, UnknownError
from ._link import Stopwatch

_ECHO = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
_PROTOCOLS = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
_HEAD = struct.Struct("!BBHHH")


class IcmpProbe(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Sends echo requests by a socket that needs no rights, where the system allows it."""

    host: str
    """Who is asked."""
    count: int = 3
    """How many are sent."""
    max_loss: float = 0.5
    """The share that may stay without answer."""

    @property
    def target(self) -> str:
        """The host."""
        return self.host

    def check(self, timeout_s: float) -> Checked:
        """One after another, each with its part of the time."""
        watch = Stopwatch(timeout_s)
        with watch.phase("dns"):
            family, _, _, _, address = socket.getaddrinfo(self.host, None)[0]
        try:
            link = socket.socket(family, socket.SOCK_DGRAM, _PROTOCOLS[family])
        except PermissionError as problem:
            raise UnknownError("pings are not allowed: see net.ipv4.ping_group_range") from problem
        count = max(1, self.count)
        with link:
            link.connect(address)
            times = [_ping(link, number, wait_s=timeout_s / count) for number in range(count)]
        answered = [each for each in times if each is not None]
        loss = 1 - len(answered) / count
        numbers = [Number(metric="probe.icmp.loss", value=loss)]
        if answered:
            numbers.append(Number(metric="probe.icmp.rtt", value=min(answered), unit="s"))
        if loss > self.max_loss or not answered:
            return Checked(problem=f"{loss:.0%} lost", type="loss", numbers=tuple(numbers))
        return Checked(numbers=tuple(numbers))


def _ping(link: socket.socket, number: int, *, wait_s: float) -> float | None:
    """Seconds until the reply; the kernel numbers the socket and sees to the checksum of six."""
    mark = os.urandom(16)
    head = _HEAD.pack(_ECHO[link.family], 0, 0, 0, number)
    sent = time.perf_counter()
    link.send(head[:2] + _sum_of(head + mark).to_bytes(2, "big") + head[4:] + mark)
    while (left := sent + wait_s - time.perf_counter()) > 0:
        link.settimeout(left)
        try:
            heard = link.recv(1024)
        except TimeoutError:
            return None
        if heard[:1] == bytes([_REPLY[link.family]]) and heard.endswith(mark):
            return time.perf_counter() - sent
    return None


def _sum_of(packet: bytes) -> int:
    words: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    words = (words >> 16) + (words & 0xFFFF)
    return ~(words + (words >> 16)) & 0xFFFF
