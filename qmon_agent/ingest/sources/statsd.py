"""Numbers that clients of StatsD and DogStatsD send, added up each second."""

from __future__ import annotations

import asyncio
import platform
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from qmon_agent.domain.bounds import Amount, Seconds
from qmon_agent.ingest.datagrams import DatagramReader, PacketStreams
from qmon_agent.ingest.listening import listen_udp, listen_unix, remove_socket
from qmon_agent.ingest.sending import Sending
from qmon_agent.ingest.sources import Door
from qmon_agent.ingest.statsd_fold import SignedGauges, StatsdFold
from qmon_agent.ingest.statsd_lines import resource_of

_LATELY_S = 3_600.0
_AT_THE_END_S = 2.0  # the last interval is kept, unless the disk hangs


class StatsdSource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """`[sources.statsd]`: off unless enabled, since another StatsD may own the port."""

    enabled: bool = False
    listen: str = "127.0.0.1:8125"
    """UDP address to take datagrams at; empty for none. Nobody asks a datagram for a token."""
    datagram_socket: str = ""
    """Path of a unix socket for datagrams, as Datadog's clients know it; empty for none."""
    stream_socket: str = ""
    """Path of a unix socket for packets with their length before them; empty for none."""
    mode: str = "0660"
    """Permissions of the unix sockets: who may write to them."""
    service: str = "statsd"
    """Who speaks where no tag `service` says it."""
    interval_s: Seconds = 1.0
    """How long values are added up before they are kept."""
    max_series: Amount = 20_000
    """Series at the same time; what is beyond is added up in one overflow series per metric."""
    max_connections: Amount = 1_024
    """Connections to the stream socket; more are turned away."""
    signed_gauges: SignedGauges = "by_line"
    """What `+1` and `-1` are to a gauge: `differences` as in StatsD, `values` as in DogStatsD, or
    differences except on lines that have tags or anything else of DogStatsD."""

    def __post_init__(self) -> None:
        self._readers: list[DatagramReader] = []
        self._streams: PacketStreams | None = None
        self._closing: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._address = self.listen
        self._fold: StatsdFold | None = None
        self._lost, self._lost_at = 0, 0.0

    async def start(self, door: Door) -> None:
        self._door = door
        self._sending = Sending(door.intake, name="statsd")
        self._host = platform.node()
        self._fold = StatsdFold(door.vitals, max_series=self.max_series, signed=self.signed_gauges)
        try:
            await self._open(self._fold)
        except BaseException:
            await self.stop()
            raise
        self._task = asyncio.create_task(self._run(self._fold))

    async def stop(self) -> None:
        for reader in self._readers:
            reader.close()
        if self._streams is not None:
            await self._streams.stop()
        closing, self._closing, self._readers, self._streams = self._closing, [], [], None
        for close in closing:
            close()
        task, self._task = self._task, None
        if task is not None and self._fold is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.wait(
                [asyncio.ensure_future(self._flush(self._fold))], timeout=_AT_THE_END_S
            )

    def describe(self) -> Mapping[str, Any]:
        return {
            "listen": self._address,
            "datagram_socket": self.datagram_socket,
            "stream_socket": self.stream_socket,
            "series": len(self._fold) if self._fold else 0,
            "lost_datagrams": self._lost,
            "trouble": self._trouble,
        }

    @property
    def _trouble(self) -> str:
        ago_s = time.monotonic() - self._lost_at
        if not self._lost or ago_s > _LATELY_S:
            return ""
        step = "let clients sum up, sample or pack more into one, or raise net.core.rmem_max"
        return f"datagrams were lost, the last {ago_s:.0f} s ago: they come too fast; {step}"

    async def _open(self, fold: StatsdFold) -> None:
        if self.listen:
            taker = listen_udp(self.listen, path="sources.statsd.listen")
            self._closing.append(taker.close)
            self._address = "{}:{}".format(*taker.getsockname()[:2])
            self._read(taker, fold)
        if self.datagram_socket:
            self._read(self._unix(self.datagram_socket, socket.SOCK_DGRAM), fold)
        if self.stream_socket:
            door = self._door
            self._streams = PacketStreams(
                fold.take,
                name="statsd",
                door=(door.intake.admission, door.vitals),
                limit=self.max_connections,
            )
            await self._streams.serve(self._unix(self.stream_socket, socket.SOCK_STREAM))

    def _unix(self, path: str, kind: socket.SocketKind) -> socket.socket:
        name = "datagram_socket" if kind == socket.SOCK_DGRAM else "stream_socket"
        option = f"sources.statsd.{name}"
        listener = listen_unix(Path(path), kind=kind, mode=int(self.mode, 8), option=option)
        self._closing.append(lambda: remove_socket(Path(path), listener))
        return listener

    def _read(self, taker: socket.socket, fold: StatsdFold) -> None:
        parts = self._door.intake.admission, self._door.vitals
        self._readers.append(DatagramReader(taker, fold.take, name="statsd", door=parts))

    async def _run(self, fold: StatsdFold) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self.interval_s
        while True:
            await asyncio.sleep(due - loop.time())
            # While the journal has no room, an interval just becomes longer.
            if self._sending.may_send:
                await asyncio.shield(asyncio.ensure_future(self._flush(fold)))
            due = max(due + self.interval_s, loop.time())

    async def _flush(self, fold: StatsdFold) -> None:
        for reader in self._readers:
            reader.count_lost()
        lost = self._door.vitals.count("datagrams_lost", source="statsd")
        if lost != self._lost:
            self._lost, self._lost_at = lost, time.monotonic()
        for speaker, signals in fold.drain(time.time_ns()).items():
            resource = resource_of(speaker, service=self.service, host=self._host)
            await self._sending.send(resource, signals)
        self._door.vitals.gauge("statsd_series", len(fold))
