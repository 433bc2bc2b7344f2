"""The notifier after a receiver was away: how it stands is told, the worst first, and no more."""

import asyncio
import socket
from itertools import count

import msgspec
import pytest

from qmon_agent.domain.alarms.unsaid import LATE_NS
from qmon_agent.domain.catalog import Alert
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.notices import STORM, Notice
from qmon_agent.notify import AlertNotifier, Sending
from qmon_agent.notify.channels import CHANNELS, DELIVERED, Delivery
from qmon_agent.notify.message import Address, compose
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.ledger import Entry, IncidentRecord, Posting
from qmon_agent.vitals import Vitals

AWAY = Delivery(outcome="retry", detail="refused", untold=True)
UNSURE = Delivery(outcome="retry", detail="it hung up without an answer")
LONG_S = 2 * LATE_NS // SECOND


class Told:
    """Alerts without rules, a receiver that may be away, and what it was told."""

    def __init__(self, path):
        self.clock, self.vitals, self.said = HandClock(), Vitals(), []
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.alert = self.store.catalog.put_alert(Alert(name="hot")).id
        self.answer, self.numbers = DELIVERED, count()
        self.notifier = AlertNotifier(
            self.store.outbox,
            {"pager": self},
            clock=self.clock,
            vitals=self.vitals,
            sending=Sending(most_s=30, jitter=0),
        )

    async def send(self, message):
        if self.answer is DELIVERED:
            self.said.append((message.notice.thread, message.notice.status))
        return self.answer

    def post(self, incident, status, *, is_over=None, **said):
        over = status == "resolved" if is_over is None else is_over
        now = self.clock.now()
        row = IncidentRecord(
            id=incident,
            alert=self.alert,
            instance="x",
            state="inactive" if over else "firing",
            since=now,
        )
        notice = Notice(incident=incident, status=status, reason="breach", alert="hot", **said)
        posting = Posting(
            key=f"{next(self.numbers)}",
            incident=incident,
            channel="pager",
            notice=msgspec.json.encode(notice).decode(),
            created_at=now,
            due_at=0,
            deadline=now + 86_400 * SECOND,
        )
        self.store.incidents.write(Entry(incidents={incident: row}, postings=[posting]))

    async def be_away(self, answer=AWAY, *, for_s=LONG_S):
        """In the end nobody has tried for a while, as each waits for its turn."""
        self.answer = answer
        for _ in range(4):
            await self.notifier.send_due()
            self.clock.turn(for_s / 4)
        self.answer = DELIVERED

    async def be_back(self):
        """Until nothing is left to do."""
        for _ in range(50):
            await self.notifier.send_due()
            self.clock.turn(1)
        return self.said

    def became(self):
        columns, rows = self.store.view("notifications")
        status, detail = columns.index("status"), columns.index("detail")
        return [(row[status], row[detail]) for row in reversed(rows)]


@pytest.fixture
def told(tmp_path):
    told = Told(tmp_path / "state.db")
    yield told
    told.store.close()


class TestAway:
    async def test_is_told_nothing_of_what_came_and_went(self, told):
        told.post("i1", "firing")
        await told.be_away()
        told.post("i1", "resolved")

        assert [] == await told.be_back()
        assert [("superseded", "over"), ("superseded", "unheard")] == told.became()
        assert 2 == told.vitals.count("notify_superseded", channel="pager")
        assert {("pager", "superseded"): 2} == told.store.outbox.counts()

    async def test_is_told_the_newest_of_what_fires_still(self, told):
        told.post("i1", "firing")
        await told.be_away()
        told.post("i1", "firing", severity="critical")

        assert [("i1", "firing")] == await told.be_back()
        assert [("superseded", "newer"), ("sent", "")] == told.became()

    async def test_is_told_the_end_of_what_it_has_heard(self, told):
        told.post("i1", "firing")
        await told.notifier.send_due()
        told.post("i1", "firing", severity="critical")
        await told.be_away()
        told.post("i1", "resolved")

        assert [("i1", "firing"), ("i1", "resolved")] == await told.be_back()

    @pytest.mark.parametrize("answer", [UNSURE, Delivery(outcome="retry", detail="HTTP 500")])
    async def test_is_told_the_end_of_what_it_may_have_heard(self, told, answer):
        told.post("i1", "firing")
        await told.be_away(answer)
        told.post("i1", "resolved")

        assert [("i1", "resolved")] == await told.be_back()

    async def test_is_told_the_end_where_a_sender_was_killed_before_it_could_say(self, told):
        told.post("i1", "firing")
        told.store.outbox.lease("pager", owner="dead", until=told.clock.now() + SECOND)
        told.clock.turn(LONG_S)
        told.post("i1", "resolved")

        assert [("i1", "resolved")] == await told.be_back()

    async def test_is_told_nothing_new_while_it_is_not_known_what_it_has_heard(self, told):
        told.post("i1", "firing")
        told.store.outbox.lease("pager", owner="slow", until=told.clock.now() + 9_999 * SECOND)
        told.clock.turn(LONG_S)
        told.post("i1", "resolved")

        assert [] == await told.be_back()
        assert {"leased", "waiting"} == {status for status, _ in told.became()}

    async def test_for_a_short_while_is_told_all_of_it(self, told):
        told.post("i1", "firing")
        await told.be_away(for_s=100)
        told.post("i1", "resolved")

        assert [("i1", "firing"), ("i1", "resolved")] == await told.be_back()

    async def test_is_told_how_a_storm_ended(self, told):
        told.post("i1", "firing", rule=STORM, group="storm-1")
        await told.be_away()
        told.post("i1", "resolved", rule=STORM, group="storm-1")

        assert [("storm-1", "resolved")] == await told.be_back()


class TestGroup:
    """One message is about many incidents."""

    async def test_that_came_and_went_unheard_goes_unsaid_for_the_channel_of_an_escalation(
        self, told
    ):
        members = tuple(member(name, "firing") for name in ("i1", "i2"))
        told.post("i1", "firing", group="g", members=members)
        await told.be_away()
        over = tuple(member(name, "resolved") for name in ("i1", "i2"))
        told.post("i1", "resolved", group="g", members=over)

        assert [] == await told.be_back()

    async def test_is_told_as_it_stands_with_the_end_of_what_was_heard(self, told):
        one, two = member("i1", "firing"), member("i2", "firing")
        told.post("i1", "firing", group="g", members=(one,))
        await told.notifier.send_due()
        told.post("i1", "firing", group="g", members=(one, two))
        await told.be_away()
        told.post("i1", "firing", group="g", members=(member("i1", "resolved"), two))
        told.clock.turn(1)
        told.post("i1", "firing", group="g", members=(two,))

        assert [("g", "firing")] * 3 == await told.be_back()
        assert ["sent", "superseded", "sent", "sent"] == [status for status, _ in told.became()]


def member(incident, status):
    return Notice(incident=incident, status=status, reason="breach", alert="hot")


class TestOrder:
    async def test_is_by_what_matters_as_soon_as_the_receiver_is_back(self, told):
        told.post("over", "firing")
        await told.notifier.send_due()
        told.post("over", "resolved")
        told.post("mild", "firing")
        await told.be_away()
        told.post("bad", "firing", severity="critical")

        said = await told.be_back()
        assert [("bad", "firing"), ("mild", "firing"), ("over", "resolved")] == said[1:]

    async def test_lets_nobody_wait_behind_what_is_tried_in_vain(self, told):
        for n in range(20):
            told.post(f"old{n}", "firing")
        told.answer = AWAY

        assert 1 == await told.notifier.send_due()
        told.post("new", "firing", severity="critical")
        told.answer = DELIVERED
        await told.notifier.send_due()

        assert ("new", "firing") == told.said[0]

    async def test_waits_no_longer_once_one_has_arrived(self, told):
        told.post("old", "firing", severity="critical")
        await told.be_away(for_s=7.9)
        later = told.store.outbox.next_due("pager")
        told.post("new", "firing")
        await told.notifier.send_due()

        assert told.clock.now() < later
        assert [("new", "firing")] == told.said
        await told.notifier.send_due()
        assert ("old", "firing") == told.said[-1]


class Standing:
    """A channel in whose first message it is told to stop."""

    def __init__(self):
        self.began = asyncio.Event()

    async def send(self, _):
        self.began.set()
        await asyncio.sleep(3_600)


class TestStopping:
    async def test_leaves_no_doubt_about_what_was_not_begun(self, told):
        for name in ("i1", "i2"):
            told.post(name, "firing")
        channel = Standing()
        notifier = AlertNotifier(told.store.outbox, {"pager": channel}, clock=told.clock)
        running = asyncio.create_task(notifier.run())
        await channel.began.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        told.clock.turn(LONG_S)
        for name in ("i1", "i2"):
            told.post(name, "resolved")

        assert [("i1", "resolved")] == await told.be_back()


class TestWebhook:
    """Whether it may have heard, by how far the call came."""

    @pytest.fixture
    def listening(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield server

    async def test_that_nobody_answers_at_has_not(self, listening):
        host, port = listening.getsockname()
        listening.close()

        assert (await told_by(host, port)).untold

    async def test_that_hangs_once_connected_may_have(self, listening):
        delivery = await told_by(*listening.getsockname())

        assert ("retry", False) == (delivery.outcome, delivery.untold)


async def told_by(host, port):
    channel = CHANNELS.build("webhook", {"url": f"http://{host}:{port}/", "timeout_s": 0.2})
    notice = Notice(incident="i1", status="firing", reason="breach", alert="hot")
    return await channel.send(compose(notice, Address(key="k", channel="hook")))
