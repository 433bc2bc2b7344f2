"""Group commit under asyncio."""

from __future__ import annotations

import asyncio

import pytest

from qmon_agent.journal import GroupCommitter, Journal, JournalOptions, JournalReader

SENDER = b"s" * 16


@pytest.fixture
def journal(tmp_path):
    options = JournalOptions(memory_bytes=100_000, reserve_bytes=0, emergency_bytes=0)
    journal = Journal.open(tmp_path, options=options)
    yield journal
    journal.close()


@pytest.fixture
async def committer(journal):
    committer = GroupCommitter(journal)
    yield committer
    await committer.close()


class TestGroupCommitter:
    async def test_answers_when_it_is_durable(self, committer, journal):
        result = await committer.submit(b"frame", SENDER, 1)
        assert ("stored", 1, True) == (result.outcome, result.record_id, result.is_kept)
        assert journal.seen(SENDER, 1)

    async def test_a_lone_record_does_not_wait_for_another(self, committer):
        async with asyncio.timeout(5):
            for sequence in range(1, 20):
                await committer.submit(b"frame", SENDER, sequence)

    async def test_commits_together_what_came_together(self, committer, journal):
        await asyncio.gather(*(committer.submit(b"frame", SENDER, n) for n in range(1, 201)))
        assert 200 == journal.vitals["records"]
        assert journal.vitals["commits"] < 20

    async def test_commits_at_once_what_came_in_one_turn_of_the_loop(self, committer, journal):
        for turn in range(1, 11):
            came = [committer.submit(b"frame", SENDER, turn * 100 + n) for n in range(4)]
            await asyncio.gather(*came)
        assert (40, 10) == (journal.vitals["records"], journal.vitals["commits"])

    async def test_stores_what_came_in_the_turn_it_is_closed_in(self, journal):
        committer = GroupCommitter(journal)
        came = committer.submit(b"frame", SENDER, 1)
        await committer.close()
        assert "stored" == (await came).outcome

    async def test_stores_a_repeated_record_once(self, committer, tmp_path):
        futures = [committer.submit(b"frame", SENDER, 1) for _ in range(3)]
        outcomes = [(await future).outcome for future in futures]
        again = await committer.submit(b"frame", SENDER, 1)

        assert ["stored", "duplicate", "duplicate"] == outcomes
        assert "duplicate" == again.outcome
        assert 1 == len(JournalReader(tmp_path).read())

    async def test_tells_its_readers_in_order_after_each_commit(self, committer):
        told = []
        committer.on_commit(lambda position, records: told.append((position, records)))
        for sequence in range(1, 10):
            await committer.submit(b"frame", SENDER, sequence)
        await asyncio.sleep(0)

        assert [*range(1, 10)] == [one.sequence for _, records in told for one in records]
        assert all(position == records[-1].position for position, records in told)

    async def test_one_failing_reader_does_not_stop_the_others(self, committer):
        told, complaints = [], []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context["exception"]))
        committer.on_commit(lambda position, records: 1 / 0)
        committer.on_commit(lambda position, records: told.append(len(records)))

        await committer.submit(b"frame", SENDER, 1)
        await asyncio.sleep(0)

        assert ([1], [ZeroDivisionError]) == (told, [type(one) for one in complaints])

    async def test_a_sender_that_went_away_disturbs_nobody(self, committer):
        committer.submit(b"frame", SENDER, 1).cancel()
        assert "stored" == (await committer.submit(b"frame", SENDER, 2)).outcome
        assert "duplicate" == (await committer.submit(b"frame", SENDER, 1)).outcome

    async def test_refuses_what_memory_may_not_hold(self, committer):
        futures = [committer.submit(bytes(30_000), SENDER, n) for n in range(1, 6)]
        results = [await future for future in futures]
        assert ["stored"] * 3 + ["refused"] * 2 == [one.outcome for one in results]
        assert "busy" == results[-1].reason
        assert "stored" == (await committer.submit(bytes(30_000), SENDER, 5)).outcome

    @pytest.mark.parametrize(
        "wrong",
        [
            (bytearray(b"x"), SENDER, 1),
            (b"x", b"short", 1),
            (b"x", SENDER, -1),
            (b"x", SENDER, 1 << 64),
        ],
    )
    async def test_complains_at_the_caller_of_what_cannot_be_written(self, committer, wrong):
        with pytest.raises(ValueError, match=r"16 bytes|64 bits"):
            committer.submit(*wrong)
        assert "stored" == (await committer.submit(b"x", SENDER, (1 << 64) - 1)).outcome

    async def test_takes_what_is_there_before_it_closes(self, journal):
        committer = GroupCommitter(journal)
        futures = [committer.submit(b"frame", SENDER, n) for n in range(1, 50)]
        await committer.close()

        assert {"stored"} == {(await future).outcome for future in futures}
        late = await committer.submit(b"frame", SENDER, 99)
        assert ("refused", "closing") == (late.outcome, late.reason)

    async def test_waits_with_what_may_be_a_repetition_until_it_is_known(self, tmp_path):
        home = tmp_path / "old"
        first = Journal.open(home, options=JournalOptions(segment_bytes=500, reserve_bytes=0))
        for sequence in range(1, 100):
            first.append(bytes(100), process=SENDER, sequence=sequence)
            first.commit()
        first.close()
        for path in (*home.glob("*.idx"), home / "dedup"):
            path.unlink()

        journal = Journal.open(home, options=JournalOptions(open_scan_bytes=0, reserve_bytes=0))
        committer = GroupCommitter(journal)
        results = await asyncio.gather(*(committer.submit(b"x", SENDER, n) for n in range(1, 101)))

        assert ["duplicate"] * 99 + ["stored"] == [one.outcome for one in results]
        await committer.close()
        journal.close()
