"""The stream between agents: made or used, full, and what its readers ask each other."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from qmon_agent.forward.batch import Batch
from qmon_agent.ingest.nats_peers import Peers
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame
from qmon_sdk.protocol.signals import Log


@pytest.fixture
def subject():
    return f"frames.{uuid.uuid4().hex}"


@pytest.fixture
def name(subject):
    return subject.replace(".", "-")


@pytest.fixture
async def client(backends, name):
    import nats

    client = await nats.connect(backends.nats.url)
    yield client
    if name in {each.config.name for each in await client.jsm().streams_info()}:
        await client.jsm().delete_stream(name)
    await client.close()


@pytest.fixture
def sink(backends, subject, name, sink_with):
    """Makes sinks of this stream."""
    usual = {"servers": [backends.nats.url], "subject": subject, "stream": name, "timeout_s": 2}
    return lambda **options: sink_with("nats", **{**usual, **options})


def a_batch(*sequences, size=10):
    frames = tuple(
        Frame(
            process=bytes(16),
            sequence=number,
            resource=Resource(service="shop"),
            blocks=blocks_of([Log(time=1, body="x" * size)]),
        )
        for number in sequences
    )
    return Batch(id=str(sequences), frames=frames, payloads=tuple(map(encode_frame, frames)))


async def send(sink, batch):
    return (await asyncio.to_thread(sink.send, batch)).outcome


class TestStreamOfTheSink:
    async def test_is_made_as_a_queue_that_makes_no_room(self, sink, client, name):
        one = sink(max_bytes=1 << 20)

        outcome = await send(one, a_batch(1, 2))

        made = await client.jsm().stream_info(name)
        kinds = made.config.retention, made.config.discard, made.config.storage
        assert ("delivered", 2) == (outcome, made.state.messages)
        assert ("workqueue", "new", "file", 1 << 20) == (*kinds, made.config.max_bytes)
        assert "what comes waits" == one.describe()["when_full"]

    async def test_that_is_there_is_used_as_it_is(self, sink, client, subject, name):
        await client.jsm().add_stream(name=name, subjects=[subject], max_msgs=5)
        one = sink(stream="another")

        assert "delivered" == await send(one, a_batch(1))

        told = one.describe()
        assert (name, "the oldest is lost") == (told["stream"], told["when_full"])

    async def test_is_waited_for_where_it_is_not_to_be_made(self, sink, client, name):
        assert "retry" == await send(sink(makes_stream=False), a_batch(1))

    async def test_is_not_made_smaller_than_wanted(self, sink, client):
        assert "retry" == await send(sink(replicas=3), a_batch(1))

    async def test_that_is_full_has_the_sink_wait_and_nothing_is_lost(
        self, sink, client, subject, name
    ):
        one, batch = sink(max_bytes=4000), a_batch(*range(1, 9), size=900)
        assert "retry" == await send(one, batch)

        consumer = await client.jetstream().pull_subscribe(subject, "all", stream=name)
        taken = []
        while len(taken) < 8:
            await send(one, batch)
            for message in await consumer.fetch(8, timeout=2):
                taken.append(message.headers["Nats-Msg-Id"])
                await message.ack_sync()

        assert "delivered" == await send(one, batch)
        assert [f"{bytes(16).hex()}-{number}" for number in range(1, 9)] == sorted(taken)


class TestPeers:
    """Two agents of a group, and one that has nothing to say."""

    @pytest.fixture
    async def messages(self, sink, client, subject, name):
        """Of two frames that come for the second time, and one that is new."""
        await send(sink(), a_batch(1, 2))
        consumer = await client.jetstream().pull_subscribe(subject, "group", stream=name)
        for message in await consumer.fetch(2, timeout=2):
            await message.nak()
        again = await consumer.fetch(2, timeout=2)
        await send(sink(), a_batch(3))
        return [*again, *await consumer.fetch(1, timeout=2)]

    @staticmethod
    async def joined(client, name, *sequences):
        def has(_process, sequence):
            return sequence in sequences

        return await Peers.joined(client, stream=name, group="group", has=has)

    async def test_say_what_they_have(self, client, name, messages):
        one = await self.joined(client, name)
        await self.joined(client, name, 2, 3)

        held = await one.hold(messages)

        assert [2] == [sequence_of(messages[at]) for at in held]

    async def test_are_not_asked_for_what_we_have(self, client, name, messages):
        one = await self.joined(client, name, 1, 2)

        assert set() == await one.hold(messages)

    async def test_who_is_dead_says_nothing(self, client, name, messages):
        one = await self.joined(client, name)

        assert set() == await one.hold(messages)

    async def test_bear_what_is_no_question(self, client, name, messages):
        one = await self.joined(client, name, 1)
        for wrong in (b"", b"\xff", b"\x93abc"):
            await client.publish(one.place, wrong)
        other = await self.joined(client, name)

        assert 1 == len(await other.hold(messages))


def sequence_of(message):
    return int(message.headers["Nats-Msg-Id"].rpartition("-")[2])
