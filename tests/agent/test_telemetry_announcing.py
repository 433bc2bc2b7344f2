"""When the store's worker is told of what is committed."""

import asyncio

import pytest

from qmon_agent.journal import Position
from qmon_agent.store.telemetry.announcing import FEW_BYTES, FEW_RECORDS, NOTICE_S, Announcer


def place(record_id, offset=0, segment=1):
    return Position(record_id, segment, offset)


@pytest.fixture
async def told():
    """What was told, of an agent at rest: its last word was just now."""
    said = []
    announcer = Announcer(said.append)
    announcer.committed = place(1)
    announcer.announce()
    said.clear()
    yield announcer, said
    announcer.stop()


class TestAnnouncer:
    async def test_lets_a_few_wait(self, told):
        announcer, said = told
        for record in range(2, FEW_RECORDS):
            announcer.move(place(record))
        await asyncio.sleep(5 * NOTICE_S)

        assert [] == said

    @pytest.mark.parametrize(
        "much", [place(2 + FEW_RECORDS), place(2, FEW_BYTES + 1), place(2, segment=2)]
    )
    async def test_tells_of_much_soon(self, told, much):
        announcer, said = told
        announcer.move(place(2))
        announcer.move(much)
        await asyncio.sleep(5 * NOTICE_S)

        assert [much] == said

    async def test_tells_whoever_asks_at_once(self, told):
        announcer, said = told
        announcer.move(place(2))
        announcer.hurry()
        announcer.hurry()

        assert [place(2)] == said

    async def test_is_not_at_rest_for_a_while_after_somebody_asked(self, told):
        announcer, said = told
        announcer.hurry()
        announcer.move(place(2))
        await asyncio.sleep(5 * NOTICE_S)

        assert [place(2)] == said

    async def test_tells_soon_while_somebody_waits(self, told):
        announcer, said = told
        with announcer.hurrying():
            announcer.move(place(2))
            await asyncio.sleep(5 * NOTICE_S)

        assert [place(2)] == said

    async def test_tells_no_more_when_stopped(self, told):
        announcer, said = told
        announcer.move(place(2 + FEW_RECORDS))
        announcer.stop()
        await asyncio.sleep(5 * NOTICE_S)

        assert [] == said
