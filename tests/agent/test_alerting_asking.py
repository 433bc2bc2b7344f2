"""Rules that ask the store: when they ask, what an answer leads to, and what none does."""

import asyncio

import pytest

from qmon_agent.alerting import AlertService
from qmon_agent.app.asking import Asking
from qmon_agent.domain.clock import HandClock
from qmon_agent.domain.errors import StoreError
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_agent.store.telemetry.answers import Column, QueryResult
from qmon_agent.vitals import Vitals

COUNT = "SELECT service, count(*) AS n FROM errors GROUP BY ALL"


class Store:
    """Answers what it is told to, and knows how many asked at once."""

    def __init__(self):
        self.rows, self.asked, self.at_once, self.most = [["shop", 9]], 0, 0, 0

    async def query(self, sql, *, limit, timeout_s):
        assert (limit > 0, timeout_s) == (True, 10.0)
        self.asked, self.at_once = self.asked + 1, self.at_once + 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.rows is None:
            raise StoreError("the store is away")
        columns = (Column(name="service", type="VARCHAR"), Column(name="n", type="BIGINT"))
        return QueryResult(columns=columns, rows=self.rows)


class Asked:
    """A service with rules of SQL, and a store to ask."""

    def __init__(self, state, count=1):
        self.store, self.vitals = Store(), Vitals()
        self.service = AlertService(state, channels=("console",), clock=HandClock())
        options = {"query": COUNT, "every": "1h"}
        self.service.declare(
            [
                AlertOptions(name=f"q{n}", rule="sql", threshold="> 5", options=options)
                for n in range(count)
            ]
        )

    async def turn(self, rows=(("shop", 9),)):
        """Ask anew, as if the time had come."""
        self.store.rows = rows if rows is None else [*map(list, rows)]
        asking = Asking(
            self.service, ask=self.store.query, on_thread=self.at_once, vitals=self.vitals
        )
        await asking.turn()
        return [each.unknown or each.state for each in self.service.standings()]

    async def at_once(self, work):
        return work()


@pytest.fixture
def state(tmp_path):
    state = StateStore.open(f"sqlite:///{tmp_path / 'state.db'}", HandClock())
    yield state
    state.close()


class TestAsking:
    async def test_makes_incidents_of_rows(self, state):
        assert ["firing"] == await Asked(state).turn()

    async def test_ends_them_when_their_row_is_gone(self, state):
        asked = Asked(state)
        await asked.turn()

        assert ["firing", "inactive"] == await asked.turn([("cart", 7)])

    async def test_resolves_nothing_while_the_store_is_away(self, state):
        asked = Asked(state)
        await asked.turn()

        assert ["no_answer"] == await asked.turn(None)
        assert ["firing"] == [each.state for each in asked.service.standings()]
        assert {"q0": "the store is away"} == asked.service.problems
        assert ["firing"] == await asked.turn()
        assert {} == asked.service.problems

    async def test_asks_one_at_a_time_and_each_in_its_own_time(self, state):
        asked = Asked(state, count=3)
        asking = Asking(
            asked.service, ask=asked.store.query, on_thread=asked.at_once, vitals=asked.vitals
        )

        await asyncio.gather(asking.turn())
        await asking.turn()

        assert (3, 1) == (asked.store.asked, asked.store.most)
