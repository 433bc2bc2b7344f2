"""While the state database is away: who was let in is let in, what is new is made later."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest

from qmon_agent.app.opening import Opening
from qmon_agent.app.state_views import state_tables
from qmon_agent.app.tokens import TokenMemory
from qmon_agent.domain.catalog import Alert
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.errors import StateAwayError, StoreError
from qmon_agent.domain.notices import Notice
from qmon_agent.monitoring.discovery import Discovery
from qmon_agent.notify.channels import Delivery
from qmon_agent.notify.notifier import AlertNotifier
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.ledger import Entry, IncidentRecord, Posting
from qmon_agent.vitals import Vitals


class Away:
    """Stands before a part of the store; refuses some calls of one kind, and passes on the rest."""

    def __init__(self, part, name, times=1):
        self.part, self.name, self.times = part, name, times

    def __getattr__(self, name):
        if name == self.name and self.times:
            return self.refuse
        return getattr(self.part, name)

    def call(self, name, *arguments):
        return getattr(self, name)(*arguments)

    def refuse(self, *_, **__):
        self.times -= 1
        raise StateAwayError("away")


@pytest.fixture
def store(tmp_path):
    store = StateStore.open(f"sqlite:///{tmp_path}/state.db", HandClock())
    yield store
    store.close()


class TestTokens:
    def test_that_were_known_let_in_and_others_are_not_judged(self, store):
        now, tokens = [1.0], Away(store.tokens, "check", times=0)
        memory = TokenMemory(partial(Away.call, tokens, "check"), now=lambda: now[0])
        (known, _), (other, _) = store.tokens.create("ingest"), store.tokens.create("ingest")
        assert memory.may_enter(known)
        now[0], tokens.times = 3_600.0, 2

        assert memory.may_enter(known)
        with pytest.raises(StoreError):
            memory.may_enter(other)
        assert memory.may_enter(other)


class TestDiscovery:
    def test_makes_with_the_next_batch_what_could_not_be_made(self, store):
        vitals = Vitals()
        discovery = Discovery(Away(store.catalog, "add_system"), vitals=vitals)

        discovery.note("shop")
        assert [] == store.catalog.systems()
        discovery.note("shop")

        assert ["shop"] == [each.name for each in store.catalog.systems()]
        assert 1 == vitals.read()["catalog_write_failures"]


class Listening:
    """A channel that takes everything."""

    def __init__(self):
        self.heard = []

    async def send(self, message):
        self.heard.append(message)
        return Delivery(outcome="delivered")


class TestAMessage:
    async def test_that_arrived_is_settled_when_the_state_is_back_and_told_once(self, store):
        post(store)
        channel, outbox = Listening(), Away(store.outbox, "settle")
        notifier = AlertNotifier(outbox, {"pager": channel}, clock=store.clock)

        assert 1 == await notifier.send_due()
        assert 0 == await notifier.send_due()

        assert 1 == len(channel.heard)
        assert {("pager", "sent"): 1} == store.outbox.counts()


def post(store):
    store.catalog.put_alert(Alert(name="hot"))
    now = store.clock.now()
    incident = IncidentRecord(id="i1", alert=1, instance="x", state="firing", since=now)
    notice = Notice(incident="i1", status="firing", reason="breach", alert="hot")
    posting = Posting(
        key="k",
        incident="i1",
        channel="pager",
        notice=msgspec.json.encode(notice).decode(),
        created_at=now,
        due_at=now,
        deadline=now + 3_600 * SECOND,
    )
    store.incidents.write(Entry(incidents={"i1": incident}, postings=[posting]))


class TestOpening:
    def test_is_tried_until_it_is_there(self, store):
        told, place = [], Away(store, "view", times=2)

        opened = Opening(lambda: place.view("systems"), away=told.append)()

        assert ["away", "away"] == told
        assert [] == opened[1]

    def test_ends_when_it_is_given_up(self, store):
        place = Away(store, "view", times=2)
        opening = Opening(lambda: place.view("systems"), away=lambda _: opening.give_up())

        with pytest.raises(StateAwayError):
            opening()
        assert 1 == place.times

    def test_does_not_wait_for_what_is_wrong(self):
        def wrong():
            raise StoreError("of another version")

        with pytest.raises(StoreError, match="another version"):
            Opening(wrong, away=pytest.fail)()


class TestViews:
    def test_are_read_only_where_a_question_names_them(self, store):
        away = Away(store, "view")

        tables = state_tables(away, "SELECT count(*) FROM spans")

        assert (1, {"alerts"}) == (away.times, {*tables})  # like `select`: no rows of it
        with pytest.raises(StateAwayError):
            state_tables(away, "SELECT * FROM Alerts")
