"""Messages of other protocols: kept once however often they come, cut to fit, told truthfully."""

from __future__ import annotations

import asyncio

import pytest

from qmon_agent.domain.routing import speaker_of
from qmon_agent.ingest.foreign import (
    DROPPED,
    Parcel,
    dropped_of,
    is_beside_original,
    original_of,
    rows_of_original,
    take_parcel,
    worst,
)
from qmon_agent.ingest.outcome import Fate, Outcome
from qmon_sdk.protocol.columns import Block, rows_of
from qmon_sdk.protocol.frames import MAX_FRAME_BYTES, Frame, Resource
from qmon_sdk.protocol.signals import Log, Span

SHOP = Resource(service="shop")


def a_parcel(signals, original=b"what came", **told):
    return Parcel(protocol="otlp", groups=((SHOP, signals),), original=original, **told)


class TestTakeParcel:
    async def test_keeps_its_signals_under_who_speaks(self, taking):
        outcome = await take_parcel(taking.intake, a_parcel([Span(name="a")]), taking.peer)

        assert Fate.STORED is outcome.fate
        assert [("shop", (Span(name="a"),))] == [
            (frame.resource.service, (*rows_of(frame.blocks[0]),)) for frame in taking.frames()
        ]

    @pytest.mark.parametrize(
        ("later_s", "fate"), [(1, "duplicate"), (599, "duplicate"), (1300, "stored")]
    )
    async def test_knows_a_repetition_for_ten_minutes(self, taking, later_s, fate):
        parcel = a_parcel([Span(name="a")])
        await take_parcel(taking.intake, parcel, taking.peer, now=lambda: 599.0)

        again = await take_parcel(taking.intake, parcel, taking.peer, now=lambda: 599.0 + later_s)

        assert fate == again.fate.value

    @pytest.mark.parametrize(
        "told", [{"attributes": {"service.instance.id": "b"}}, {"host": "b"}, {"pid": 2}]
    )
    async def test_tells_replicas_apart_that_speak_in_one_message(self, taking, told):
        first = Resource(service="shop", attributes={"service.instance.id": "a"})
        groups = tuple((who, [Span(name="a")]) for who in (first, first.replace(**told)))
        parcel = Parcel(protocol="otlp", groups=groups, original=b"x")

        await take_parcel(taking.intake, parcel, taking.peer)

        assert 2 == len({speaker_of(frame) for frame in taking.frames()})
        assert 1 == len({frame.process for frame in taking.frames()})

    async def test_knows_who_speaks_for_longer_than_a_message(self, taking):
        for late_s, original in ((0, b"one"), (3600, b"two")):
            parcel = a_parcel([Span(name="a")], original)
            await take_parcel(
                taking.intake, parcel, taking.peer, now=lambda late_s=late_s: 599.0 + late_s
            )

        assert 1 == len({speaker_of(frame) for frame in taking.frames()})
        assert 2 == len({frame.process for frame in taking.frames()})

    async def test_knows_a_repetition_while_the_first_is_on_its_way(self, taking):
        """Also where ten minutes end between the two."""
        parcel = a_parcel([Span(name="a")])

        answers = await asyncio.gather(
            *(
                take_parcel(taking.intake, parcel, taking.peer, now=lambda at=at: at)
                for at in (599.9, 600.1)
            )
        )

        assert [Fate.STORED, Fate.DUPLICATE] == [answer.fate for answer in answers]

    async def test_keeps_another_message_of_the_same_time(self, taking):
        for original in (b"one", b"two"):
            await take_parcel(taking.intake, a_parcel([Span(name="a")], original), taking.peer)

        assert 2 == len(taking.rows())

    async def test_cuts_what_is_too_large_for_a_frame(self, taking):
        lines = [Log(body=f"{n}" * (MAX_FRAME_BYTES // 8)) for n in range(9)]

        outcome = await take_parcel(taking.intake, a_parcel(lines), taking.peer)

        assert (Fate.STORED, lines) == (outcome.fate, taking.rows())

    async def test_rejects_a_row_that_fits_into_no_frame_and_keeps_the_others(self, taking):
        lines = [Log(body="x" * MAX_FRAME_BYTES), Log(body="y")]

        outcome = await take_parcel(taking.intake, a_parcel(lines), taking.peer)

        assert ("rejected", "oversize") == (outcome.fate.value, outcome.reason)
        assert [Log(body="y")] == taking.rows()
        assert 1 == outcome.lost

    async def test_is_refused_at_the_end(self, taking):
        parcel = a_parcel([Span(name="a")])
        await taking.committer.close()

        assert Fate.REFUSED is (await take_parcel(taking.intake, parcel, taking.peer)).fate

    async def test_keeps_a_long_message_as_a_short_one(self, taking):
        parcel = a_parcel([Span(name="a")], original=b"x" * 100_000)

        fates = [(await take_parcel(taking.intake, parcel, taking.peer)).fate for _ in range(2)]

        assert [Fate.STORED, Fate.DUPLICATE] == fates
        assert [Span(name="a")] == taking.rows()

    async def test_says_what_is_dropped_in_no_row(self, taking):
        parcel = a_parcel([], dropped={"span/invalid": 2})
        await take_parcel(taking.intake, parcel, taking.peer)

        assert [{"span/invalid": 2}] == [dropped_of(frame) for frame in taking.frames()]
        assert [] == taking.rows()

    async def test_says_which_rows_travel_as_they_came_too(self, taking):
        parcel = a_parcel([Span(name="a")], keep_original=True)
        await take_parcel(taking.intake, parcel, taking.peer)

        first, second = taking.frames()
        assert (1, 0) == (rows_of_original(first), rows_of_original(second))
        assert (False, True) == tuple(is_beside_original(each, "otlp") for each in (first, second))
        assert not is_beside_original(second, "sentry")

    async def test_carries_the_original_in_no_row(self, taking):
        parcel = a_parcel([Span(name="a")], path="traces", content_type="x/y", keep_original=True)
        await take_parcel(taking.intake, parcel, taking.peer)

        found = [original_of(frame) for frame in taking.frames()]
        assert [("otlp", "traces", "x/y", b"what came"), None] == found
        assert 1 == len(taking.rows())

    async def test_knows_a_repetition_by_what_its_sender_repeats(self, taking):
        for original in (b"sent at 1", b"sent at 2"):
            parcel = a_parcel([Span(name="a")], original, identity=b"the same")
            outcome = await take_parcel(taking.intake, parcel, taking.peer)

        assert Fate.DUPLICATE is outcome.fate
        assert 1 == len(taking.rows())


class TestDroppedOf:
    @pytest.mark.parametrize(
        "columns", [(), (1, 2), ([1], ["a"]), ("ab", [1, 2]), ([["a"]], [1]), (None, [1])]
    )
    def test_believes_no_block_of_another_form(self, columns):
        block = Block(kind=DROPPED, rows=0, columns=columns)

        assert {} == dropped_of(Frame(process=bytes(16), blocks=(block,)))


class TestWorst:
    @pytest.mark.parametrize(
        ("fates", "worst_of_them"),
        [
            ("stored duplicate", "stored"),
            ("duplicate duplicate", "duplicate"),
            ("stored rejected", "rejected"),
            ("rejected refused stored", "refused"),
            ("", "stored"),
        ],
    )
    def test_is_what_the_sender_must_act_on(self, fates, worst_of_them):
        outcomes = [Outcome(fate=Fate(fate)) for fate in fates.split()]

        assert worst_of_them == worst(outcomes).fate.value
