"""The conservation books, and the walk that fills them."""

from __future__ import annotations

import asyncio

import pytest

from qmon_agent.app.conservation import Conservation, Stock
from qmon_agent.app.journals import load_conservation, save_conservation
from qmon_agent.app.judging import position_of, text_of
from qmon_agent.app.walk import Walk
from qmon_agent.ingest.foreign import DROPPED
from qmon_agent.journal import START, JournalReader, Position
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.columns import Block, blocks_of
from qmon_sdk.protocol.frames import Frame, Ledger, Resource
from qmon_sdk.protocol.signals import Span

SPAN = Span(time=1, name="work")


def told(sequence, *, captured, dropped=None, spans=1, process=b"p" * 16):
    return Frame(
        process=process,
        sequence=sequence,
        resource=Resource(service="shop"),
        blocks=blocks_of([SPAN] * spans),
        ledger=Ledger(captured={"span": captured}, dropped=dropped or {}),
    )


def exactly(*, dead=0, aging=frozenset(), **rows):
    return Stock(rows=rows, dead=dead, aging=aging, exact=True)


class TestConservation:
    def test_adds_up_what_messages_of_others_tell_to_be_dropped(self):
        books = Conservation()
        block = Block(kind=DROPPED, rows=0, columns=(["error/sample_rate"], [3]))
        for number in (1, 2):
            frame = Frame(process=b"f" * 16, sequence=number, blocks=(block,))
            books.enter(frame, record_id=number, time=1)

        balance = books.balance(exactly())

        assert (6, {"error/sample_rate": 6}) == (balance["captured"], balance["dropped_by_reason"])
        assert balance["adds_up"]

    def test_adds_up_when_everything_arrived_or_was_dropped_with_a_reason(self):
        books = Conservation()
        books.enter(told(1, captured=1), record_id=1, time=1)
        books.enter(told(2, captured=5, dropped={"span/full": 3}), record_id=2, time=2)

        balance = books.balance(exactly(span=2))

        assert (5, 2, 3, 0) == tuple(
            balance[x] for x in ("captured", "stored", "dropped", "pending")
        )
        assert balance["adds_up"]

    def test_counts_what_is_still_in_its_process_as_pending(self):
        books = Conservation()
        books.enter(told(1, captured=10, spans=4), record_id=1, time=1)

        balance = books.balance(exactly(span=4))

        assert (6, True) == (balance["pending"], balance["adds_up"])

    def test_does_not_add_up_when_the_store_has_less_than_the_journal(self):
        books = Conservation()
        books.enter(told(1, captured=4, spans=4), record_id=1, time=1)

        assert not books.balance(exactly(span=3))["adds_up"]
        assert books.balance(exactly(span=3, dead=1))["adds_up"]

    def test_tells_what_has_no_table_and_what_was_deleted_with_age(self):
        books = Conservation()
        frame = told(1, captured=4, spans=4)
        newer = frame.replace(sequence=2, blocks=(Block(kind="dream", rows=2),), ledger=None)
        books.enter(frame, record_id=1, time=1)
        books.enter(newer, record_id=2, time=2)

        balance = books.balance(exactly(span=1, aging=frozenset({"span"})))

        assert {"dream/no_table": 2, "span/expired": 3} == balance["dropped_by_reason"]
        assert (0, True) == (balance["pending"], balance["adds_up"])

    @pytest.mark.parametrize("aging", [frozenset(), frozenset({"span"})])
    def test_tells_what_was_in_damaged_segments_from_what_was_deleted_with_age(self, aging):
        books = Conservation()
        books.enter(told(1, captured=4, spans=4), record_id=1, time=1)

        balance = books.balance(
            Stock(rows={"span": 1}, damaged={"span": 3}, aging=aging, exact=True)
        )

        assert {"span/damaged": 3} == balance["dropped_by_reason"]
        assert (0, True) == (balance["pending"], balance["adds_up"])

    def test_tells_that_there_is_no_store_where_there_is_none(self):
        books = Conservation()
        books.enter(told(1, captured=6, spans=4), record_id=1, time=1)

        balance = books.balance(Stock(rows={}, is_off=True))

        assert {"span/no_store": 4} == balance["dropped_by_reason"]
        assert (2, 0, True) == tuple(
            balance[name] for name in ("pending", "pending_in_journal", "adds_up")
        )

    def test_books_a_record_once(self):
        books = Conservation()
        for _ in range(2):
            books.enter(told(1, captured=1), record_id=1, time=1)

        assert {"span": 1} == books.totals().received

    def test_believes_the_newest_ledger_whatever_the_order(self):
        books = Conservation()
        books.enter(told(2, captured=9), record_id=1, time=1)
        books.enter(told(1, captured=4), record_id=2, time=1)

        assert {"span": 9} == books.totals().captured

    def test_loses_no_count_however_many_frames_no_table_takes(self):
        books = Conservation()
        frame = told(1, captured=2, spans=2)
        for number in range(20_000):
            books.bury(frame.replace(sequence=number))

        assert not books.bury(frame.replace(sequence=19_999))
        assert (40_000, True) == (books.dead_rows, len(books.dead) < 17_000)

    def test_loses_no_count_however_many_kinds_somebody_makes_up(self):
        books = Conservation()
        dreams = tuple(Block(kind=f"dream-{n}", rows=1) for n in range(5_000))
        frame = told(1, captured=0).replace(blocks=(*dreams, *blocks_of([SPAN])), ledger=None)
        books.enter(frame, record_id=1, time=1)

        balance = books.balance(exactly(span=1))

        [account] = books.accounts.values()
        assert (5_001, True) == (balance["captured"], balance["adds_up"])
        assert (1, True) == (account.received["span"], len(account.received) < 300)

    def test_loses_no_count_however_many_processes_come_and_go(self):
        books = Conservation()
        for number in range(5_000):
            process = number.to_bytes(16, "big")
            books.enter(told(1, captured=2, process=process), record_id=number + 1, time=1)

        totals = books.totals()

        assert (10_000, 5_000) == (totals.captured["span"], totals.received["span"])
        assert len(books.accounts) < 5_000

    def test_is_the_same_after_a_restart(self, tmp_path):
        books = Conservation()
        books.enter(told(1, captured=3), record_id=1, time=1)
        save_conservation(books, tmp_path / "books")

        assert books == load_conservation(tmp_path / "books")
        assert Conservation() == load_conservation(tmp_path / "absent")


def test_a_position_is_the_same_after_it_was_text():
    assert Position(7, 2, 99) == position_of(text_of(Position(7, 2, 99)))
    assert START == position_of("") == position_of("1:2") == position_of("a:b:c")


class TestWalk:
    @pytest.fixture
    async def walk(self, taking):
        """A walk that keeps the ids it was shown."""
        shown = []
        walk = Walk(
            lambda records: shown.extend(record.record_id for record in records),
            open_reader=lambda position: JournalReader(taking.directory / "journal", position),
            start=START,
            vitals=Vitals(),
        )
        walk.shown = shown
        yield walk
        await walk.stop()

    async def test_shows_every_record_once_and_in_order(self, taking, walk):
        taking.committer.on_commit(walk.committed)
        walk.start(taking.journal.committed)
        await asyncio.gather(
            *(taking.intake.take(taking.frame(n), taking.peer) for n in range(1, 201))
        )
        await walk.drain()

        assert [*range(1, 201)] == walk.shown

    async def test_begins_with_what_was_there_before(self, taking, walk):
        await asyncio.gather(
            *(taking.intake.take(taking.frame(n), taking.peer) for n in range(1, 51))
        )
        taking.committer.on_commit(walk.committed)
        walk.start(taking.journal.committed)
        await asyncio.gather(
            *(taking.intake.take(taking.frame(n), taking.peer) for n in range(51, 101))
        )
        await walk.drain()

        assert [*range(1, 101)] == walk.shown

    async def test_reads_again_what_memory_could_not_hold(self, taking, walk):
        taking.committer.on_commit(walk.committed)
        spans = [Span(time=n, name=f"work {n}" * 1_000) for n in range(200)]
        large = [taking.frame(n, signals=spans) for n in range(1, 21)]
        await asyncio.gather(*(taking.intake.take(one, taking.peer) for one in large))
        walk.start(taking.journal.committed)
        await walk.drain()

        assert sum(map(len, large)) > 8 << 20
        assert [*range(1, 21)] == walk.shown
