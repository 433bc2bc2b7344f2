"""StatsD by its own clients, unmodified: everything they send is kept, or counted."""

from __future__ import annotations

import asyncio
import os
import socket
import struct

import pytest
from datadog.dogstatsd import DogStatsd
from statsd import StatsClient

from qmon_agent.domain.errors import ConfigError
from qmon_agent.ingest.sources import SOURCES
from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.frames import decode_frame
from qmon_sdk.protocol.signals import kind_of


class Statsd:
    """A source at work, and what it has kept."""

    def __init__(self, taking, source):
        self.taking = taking
        self.source = source
        host, port = source.describe()["listen"].rsplit(":", 1)
        self.at = {"host": host, "port": int(port)}

    async def kept(self):
        """Everything, after the last interval: frame by frame."""
        await asyncio.sleep(0.05)
        await self.source.stop()
        return [decode_frame(record.payload) for record in self.taking.records()]

    async def rows(self):
        return [
            (frame.resource, row)
            for frame in await self.kept()
            for block in frame.blocks
            for row in rows_of(block)
        ]

    async def values(self):
        return {row.metric: row.value for _, row in await self.rows()}


@pytest.fixture
async def statsd(taking, tmp_path):
    source = SOURCES.build(
        "statsd",
        {
            "enabled": True,
            "listen": "127.0.0.1:0",
            "datagram_socket": str(tmp_path / "dsd.sock"),
            "stream_socket": str(tmp_path / "stream.sock"),
            "interval_s": 60.0,
        },
    )
    await source.start(taking.door())
    yield Statsd(taking, source)
    await source.stop()


@pytest.fixture
def client_of():
    """Makes unmodified clients of StatsD, and closes their sockets."""
    made = []

    def make(statsd, **options):
        made.append(StatsClient(**statsd.at, **options))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture(autouse=True)
def nobody_tags(monkeypatch):
    """The client adds tags of its environment."""
    for name in [name for name in os.environ if name.startswith("DD_")]:
        monkeypatch.delenv(name)


class TestStatsdClient:
    async def test_sends_numbers_that_are_kept(self, statsd, client_of):
        client = client_of(statsd, prefix="shop")
        client.incr("orders")
        client.incr("orders", 2)
        client.decr("stock", 5)
        client.gauge("queue", 10)
        client.gauge("queue", -3, delta=True)
        client.timing("wait", 320)
        client.set("users", "ada")
        client.set("users", "bob")

        assert {
            "shop.orders": 3,
            "shop.stock": -5,
            "shop.queue": 7,
            "shop.wait": 320,
            "shop.users": 2,
        } == await statsd.values()

    async def test_sends_several_in_one_packet(self, statsd, client_of):
        with client_of(statsd).pipeline() as pipe:
            for _ in range(20):
                pipe.incr("a")
                pipe.timing("b", 3)

        assert {"a": 20, "b": 60} == await statsd.values()


class TestDatadogClient:
    @pytest.fixture
    def client(self, statsd):
        one = DogStatsd(**statsd.at, disable_telemetry=True, origin_detection_enabled=False)
        yield one
        one.stop()
        one.close_socket()

    async def test_sends_numbers_with_tags(self, statsd, client):
        client.increment("orders", 2, tags=["service:shop", "env:prod", "kind:book"])
        client.histogram("size", 5, tags=["service:shop"])
        client.distribution("size2", 5)
        client.gauge("queue", -4)
        client.set("users", "ada")
        client.flush()

        kept = {row.metric: (who.service, row.kind) for who, row in await statsd.rows()}

        assert {
            "orders": ("shop", "counter"),
            "size": ("shop", "distribution"),
            "size2": ("statsd", "distribution"),
            "queue": ("statsd", "gauge"),
            "users": ("statsd", "gauge"),
        } == kept

    async def test_sends_events_and_service_checks(self, statsd, client):
        client.event("Deployed", "version 2\nby Ada", alert_type="info", tags=["service:shop"])
        client.service_check("db.up", client.CRITICAL, message="no route", hostname="db1")
        client.flush()

        rows = {kind_of(row): row for _, row in await statsd.rows()}

        assert ("Deployed", "version 2\nby Ada") == (
            rows["event"].name,
            rows["event"].attributes["message"],
        )
        assert ("db.up", "error") == (rows["checkin"].monitor, rows["checkin"].status)

    async def test_sends_over_a_unix_socket(self, statsd):
        await asyncio.to_thread(self.send_orders, statsd.source.datagram_socket)
        rows = await statsd.rows()

        assert 100 == sum(row.value for _, row in rows)

    @staticmethod
    def send_orders(path):
        """From a thread: a unix socket has room for ten datagrams, and then its sender waits."""
        client = DogStatsd(socket_path=path, socket_timeout=5, disable_telemetry=True)
        for _ in range(100):
            client.increment("orders")
            client.flush()
        client.stop()
        client.close_socket()


class TestStream:
    async def test_has_lengths_before_packets(self, statsd):
        _, writer = await asyncio.open_unix_connection(statsd.source.stream_socket)
        for packet in (b"a:1|c\na:2|c\n", b"a:3|c"):
            writer.write(struct.pack("<I", len(packet)) + packet)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()

        assert {"a": 6} == await statsd.values()

    async def test_is_closed_when_a_length_cannot_be(self, statsd):
        reader, writer = await asyncio.open_unix_connection(statsd.source.stream_socket)
        writer.write(struct.pack("<I", 1 << 31))

        assert b"" == await reader.read()
        writer.close()
        assert 1 == statsd.taking.vitals.count("packets_cut")


class TestConservation:
    async def test_of_ten_thousand_everything_is_kept_or_counted(self, statsd, client_of):
        client = client_of(statsd)
        for _ in range(100):
            with client.pipeline() as pipe:
                for n in range(100):
                    pipe.incr("a", n % 2 + 1)
            await asyncio.sleep(0)

        values = await statsd.values()

        assert 0 == statsd.taking.vitals.count("datagrams_lost")
        assert (15_000, 10_000) == (values["a"], statsd.taking.vitals.count("statsd_lines"))

    async def test_counts_what_the_kernel_had_no_room_for(self, statsd):
        flood = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for _ in range(6_000):
            flood.sendto(b"a:1|c|#" + b"x" * 8_000, tuple(statsd.at.values()))
        flood.close()

        values = await statsd.values()

        lost = statsd.taking.vitals.count("datagrams_lost", reason="kernel_full")
        assert lost
        assert 6_000 == values["a"] + lost

    async def test_keeps_a_ledger_of_its_rows(self, statsd, client_of):
        client_of(statsd).incr("a")

        (frame,) = await statsd.kept()

        assert {"point": 1} == frame.ledger.captured

    async def test_goes_on_adding_up_while_the_journal_has_no_room(self, taking, client_of):
        source = SOURCES.build(
            "statsd", {"enabled": True, "listen": "127.0.0.1:0", "interval_s": 0.05}
        )
        taking.admission.hold(1 << 30)
        await source.start(taking.door())
        statsd = Statsd(taking, source)
        for _ in range(3):
            client_of(statsd).incr("a")
            await asyncio.sleep(0.1)
        taking.admission.release(1 << 30)
        await asyncio.sleep(0.2)

        assert [3] == [row.value for _, row in await statsd.rows()]


class TestListening:
    async def test_leaves_a_port_to_who_has_it(self, taking, statsd):
        taken = statsd.source.describe()["listen"]
        second = SOURCES.build("statsd", {"enabled": True, "listen": taken})

        with pytest.raises(ConfigError, match=r"sources\.statsd\.listen"):
            await second.start(taking.door())

    def test_is_off_until_it_is_wanted(self):
        assert not SOURCES.build("statsd", {}).enabled


class TestLoss:
    async def test_is_told_with_what_to_do(self, statsd):
        statsd.taking.vitals.add("datagrams_lost", 3, source="statsd", reason="kernel_full")
        await statsd.source.stop()

        told = statsd.source.describe()

        assert (3, True) == (told["lost_datagrams"], "raise net.core.rmem_max" in told["trouble"])
