"""Frames taken from a real NATS server, of a stream and of a plain subject."""

from __future__ import annotations

import asyncio
import sys
import uuid
from contextlib import asynccontextmanager

import pytest

from qmon_agent.domain.errors import ConfigError
from qmon_agent.ingest.sources import SOURCES
from qmon_agent.settings import Admission
from qmon_sdk.protocol.frames import decode_ack

_LOOKS = 40


@pytest.fixture
def server(backends):
    return backends.nats


@pytest.fixture
def subject():
    return f"frames.{uuid.uuid4().hex}"


@pytest.fixture
async def client(server):
    import nats

    client = await nats.connect(server.url)
    yield client
    await client.close()


@pytest.fixture
async def stream(client, subject):
    """A stream that keeps the subject."""
    name = subject.replace(".", "-")
    jetstream = client.jetstream()
    await jetstream.add_stream(name=name, subjects=[subject])
    yield jetstream
    await jetstream.delete_stream(name)


@pytest.fixture
def taken_from(server, taking, subject):
    """`async with taken_from(option=...) as source`: one that runs."""

    @asynccontextmanager
    async def run(**options):
        usual = {"enabled": True, "servers": [server.url], "subject": subject}
        source = SOURCES.build("nats", {**usual, **options})
        await source.start(taking.door())
        try:
            yield source
        finally:
            await source.stop()

    return run


async def until(condition, seconds=20):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def unanswered(stream, subject, group="qmon"):
    """How many are not answered; a moment may pass until the server knows of an answer."""
    for _ in range(_LOOKS):
        told = await stream.consumer_info(subject.replace(".", "-"), group)
        if not (left := told.num_ack_pending + told.num_pending):
            break
        await asyncio.sleep(0.05)
    return left


def sequences(taking):
    return [record.sequence for record in taking.records()]


class TestStream:
    async def test_keeps_what_it_held_and_what_comes(
        self, taken_from, stream, subject, taking, frame
    ):
        await stream.publish(subject, frame(1))

        async with taken_from():
            await until(lambda: sequences(taking) == [1])
            await stream.publish(subject, frame(2))
            await until(lambda: sequences(taking) == [1, 2])

        assert 0 == await unanswered(stream, subject)

    async def test_a_frame_that_comes_twice_is_kept_once_and_answered_twice(
        self, taken_from, stream, subject, taking, frame
    ):
        for data in (frame(1), frame(1), frame(2)):
            await stream.publish(subject, data)

        async with taken_from():
            await until(lambda: taking.vitals.count("frames_received") == 3)

        assert ([1, 2], 0) == (sequences(taking), await unanswered(stream, subject))

    async def test_what_is_no_frame_is_a_dead_letter_and_never_comes_again(
        self, taken_from, stream, subject, taking, frame
    ):
        for data in (b"no frame", b"", frame(1)):
            await stream.publish(subject, data)

        async with taken_from():
            await until(lambda: sequences(taking) == [1])

        assert 0 == await unanswered(stream, subject)
        assert 2 == taking.vitals.count("dead_letters")

    async def test_what_the_journal_refuses_comes_again(
        self, taken_from, stream, subject, taking, frame
    ):
        await stream.publish(subject, frame(1))
        await taking.committer.close()

        async with taken_from():
            await until(lambda: taking.vitals.count("frames_refused") >= 2)

        assert 1 == await unanswered(stream, subject)

    async def test_those_of_one_group_share_what_comes(
        self, taken_from, stream, subject, taking, frame
    ):
        async with taken_from(), taken_from():
            for number in range(1, 51):
                await stream.publish(subject, frame(number))
            await until(lambda: len(sequences(taking)) == 50)

        assert 50 == taking.vitals.count("frames_received")

    async def test_waits_for_a_stream_that_is_not_there_yet(
        self, taken_from, client, subject, taking, frame
    ):
        async with taken_from() as source:
            await until(lambda: source.describe()["state"] == f"no stream keeps {subject}")
            assert source.describe()["trouble"].startswith("create one, or set sources.nats")
            stream, name = client.jetstream(), subject.replace(".", "-")
            await stream.add_stream(name=name, subjects=[subject])
            await stream.publish(subject, frame(1))
            await until(lambda: sequences(taking) == [1])
        await stream.delete_stream(name)

    async def test_goes_on_when_its_consumer_was_taken_away(
        self, taken_from, stream, subject, taking, frame
    ):
        async with taken_from() as source:
            await until(lambda: source.describe()["state"] == "ok")
            await stream.delete_consumer(subject.replace(".", "-"), "qmon")
            await stream.publish(subject, frame(1))
            await until(lambda: sequences(taking) == [1], seconds=60)


class TestFullAgent:
    @pytest.fixture
    def admission_options(self):
        return Admission(memory_bytes=1)

    async def test_pulls_nothing_until_there_is_room(
        self, taken_from, stream, subject, taking, frame
    ):
        taking.admission.hold(10)
        await stream.publish(subject, frame(1))

        async with taken_from() as source:
            await until(lambda: source.describe()["state"] == "ok")
            told = await stream.consumer_info(subject.replace(".", "-"), "qmon")
            taking.admission.release(10)
            await until(lambda: sequences(taking) == [1])

        assert (1, 0) == (told.num_pending, told.num_ack_pending)


class TestSubject:
    async def test_answers_who_asks_as_a_socket_does(
        self, taken_from, client, subject, taking, frame
    ):
        async with taken_from(kind="subject") as source:
            await until(lambda: source.describe()["state"] == "ok")
            good = await client.request(subject, frame(7), timeout=10)
            bad = await client.request(subject, b"no frame", timeout=10)

        assert ((7,), [7]) == (decode_ack(good.data).sequences, sequences(taking))
        assert ((0, "undecodable"),) == decode_ack(bad.data).rejected

    async def test_keeps_what_nobody_wants_an_answer_to(
        self, taken_from, client, subject, taking, frame
    ):
        async with taken_from(kind="subject") as source:
            await until(lambda: source.describe()["state"] == "ok")
            for number in range(1, 11):
                await client.publish(subject, frame(number))
            await until(lambda: len(sequences(taking)) == 10)


class TestOptions:
    def test_wants_a_server(self):
        with pytest.raises(ConfigError, match="servers"):
            SOURCES.build("nats", {"servers": []})

    async def test_shows_no_password(self, taken_from):
        async with taken_from(servers=["nats://ann:secret@127.0.0.1:1"]) as source:
            assert "secret" not in str(source.describe())

    def test_costs_an_agent_without_it_nothing(self):
        program = "import sys, qmon_agent.ingest.sources.nats; print('nats' in sys.modules)"
        import subprocess

        done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
        assert b"False" == done.stdout.strip()
