"""The pipeline: what is acknowledged is on disk once, what is refused is told so."""

from __future__ import annotations

import asyncio
import struct

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qmon_agent.ingest.outcome import Fate
from qmon_sdk.protocol.frames import MAX_FRAME_BYTES

HEAD = struct.Struct(">BBBB16sBQ")


def headed(body: bytes, sequence: int = 7) -> bytes:
    """Bytes that begin as a frame does."""
    return HEAD.pack(0x97, 1, 0xC4, 16, bytes(16), 0xCF, sequence) + body


BOMBS = {
    "deep": b"\x91" * 200_000,
    "long array": b"\xdd\xff\xff\xff\xff",
    "long map": b"\xdf\xff\xff\xff\xff",
    "long text": b"\xdb\xff\xff\xff\xff",
    "wide": msgpack.packb([0] * 3 + [[["span", 1 << 40, []]]] + [None]),
    "wrong types": msgpack.packb(["sent", 3, "blocks", 4])[1:],
    "nothing": b"",
}


class TestIntake:
    async def test_acknowledges_what_is_on_disk(self, taking):
        outcome = await taking.intake.take(taking.frame(1), taking.peer)

        assert (Fate.STORED, 1) == (outcome.fate, outcome.sequence)
        assert [taking.frame(1)] == [record.payload for record in taking.records()]

    async def test_acknowledges_a_repetition_and_keeps_it_once(self, taking):
        await taking.intake.take(taking.frame(1), taking.peer)

        outcome = await taking.intake.take(taking.frame(1), taking.peer)

        assert (Fate.DUPLICATE, 1) == (outcome.fate, len(taking.records()))

    async def test_keeps_one_of_many_that_come_at_once(self, taking):
        answers = [taking.intake.take(taking.frame(1), taking.peer) for _ in range(20)]

        outcomes = await asyncio.gather(*answers)

        assert all(outcome.acknowledged for outcome in outcomes)
        assert 1 == len(taking.records())

    async def test_gives_memory_back_once_all_is_on_disk(self, taking):
        answers = [taking.intake.take(taking.frame(n), taking.peer) for n in range(1, 50)]
        assert taking.admission.held > 0

        await asyncio.gather(*answers)

        assert 0 == taking.admission.held

    @pytest.mark.parametrize("bomb", BOMBS)
    async def test_rejects_and_buries_what_it_cannot_read(self, taking, bomb):
        outcome = await taking.intake.take(headed(BOMBS[bomb]), taking.peer)

        assert (Fate.REJECTED, 7) == (outcome.fate, outcome.sequence)
        assert 1 == len(taking.journal.dead_letters())
        assert (await taking.intake.take(taking.frame(1), taking.peer)).acknowledged

    async def test_rejects_what_declares_too_much_without_keeping_it(self, taking):
        outcome = await taking.intake.take(headed(bytes(5000)), taking.peer, size=64 << 20)

        [letter] = taking.journal.dead_letters()
        assert (Fate.REJECTED, "oversize", 7) == (outcome.fate, outcome.reason, outcome.sequence)
        assert "oversize: from test" == letter.reason
        assert letter.size < MAX_FRAME_BYTES

    async def test_refuses_what_comes_after_the_end(self, taking):
        await taking.committer.close()

        outcome = await taking.intake.take(taking.frame(1), taking.peer)

        assert (Fate.REFUSED, False) == (outcome.fate, outcome.acknowledged)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(headed))))
def test_whatever_bytes_come_each_is_answered(make_taking, peer, messages):
    """Garbage is a counted dead letter or a frame; never silence, and never the end."""

    async def live():
        taking = make_taking()
        outcomes = [await taking.intake.take(message, peer) for message in messages]
        rejected = sum(outcome.fate is Fate.REJECTED for outcome in outcomes)
        assert rejected == taking.vitals.count("dead_letters")
        await taking.close()

    asyncio.run(live())
