"""The notifier: every message is told until it has arrived or died, whoever is slow."""

import asyncio
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.catalog import Alert
from qmon_agent.domain.clock import SECOND, HandClock, SystemClock
from qmon_agent.domain.notices import Notice
from qmon_agent.notify import AlertNotifier, Sending
from qmon_agent.notify.channels import DELIVERED, Delivery
from qmon_agent.notify.linking import Linked
from qmon_agent.notify.message import Action
from qmon_agent.notify.retrying import settle_as
from qmon_agent.notify.wording import Templates, Worded
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.ledger import Entry, IncidentRecord, Posting
from qmon_agent.store.state.sendings import Leased
from qmon_agent.vitals import Vitals

RETRY = Delivery(outcome="retry", detail="busy")


class Listening:
    """A channel that answers as it was told to, and remembers what it heard."""

    def __init__(self, *answers, pause_s=0.0):
        self.answers = list(answers)
        self.pause_s = pause_s
        self.heard = []

    async def send(self, message):
        self.heard.append(message)
        await asyncio.sleep(self.pause_s)
        answer = self.answers.pop(0) if self.answers else DELIVERED
        if isinstance(answer, Exception):
            raise answer
        return answer


def store_with(path, clock):
    store = StateStore.open(f"sqlite:///{path}", clock)
    store.catalog.put_alert(Alert(name="hot"))
    return store


def post(store, *, incident="i1", status="firing", channel="pager", **said):
    now = store.clock.now()
    alert = store.catalog.alerts()[0].id
    row = IncidentRecord(id=incident, alert=alert, instance="x", state="firing", since=now)
    notice = Notice(incident=incident, status=status, reason="breach", alert="hot", **said)
    key = f"{notice.thread}.{status}.{channel}"
    posting = Posting(
        key=key,
        incident=incident,
        channel=channel,
        notice=msgspec.json.encode(notice).decode(),
        created_at=now,
        due_at=now,
        deadline=now + 3_600 * SECOND,
    )
    store.incidents.write(Entry(incidents={incident: row}, postings=[posting]))
    return key


def became(store):
    return {row[1]: row[4] for row in store.view("notifications")[1]}


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def store(tmp_path, clock):
    store = store_with(tmp_path / "state.db", clock)
    yield store
    store.close()


class TestOneMessage:
    async def test_arrives_once(self, store, clock):
        key, channel = post(store), Listening()
        notifier = AlertNotifier(store.outbox, {"pager": channel}, clock=clock)

        await notifier.send_due()
        await notifier.send_due()

        assert [key] == [message.key for message in channel.heard]
        assert {key: "sent"} == became(store)

    @pytest.mark.parametrize("trouble", [RETRY, OSError("cable cut")])
    async def test_comes_again_later_with_the_same_key(self, store, clock, trouble):
        key, channel = post(store), Listening(trouble)
        notifier = AlertNotifier(store.outbox, {"pager": channel}, clock=clock)

        await notifier.send_due()
        too_early = await notifier.send_due()
        clock.turn(2)
        await notifier.send_due()

        assert 0 == too_early
        assert [(key, 1), (key, 2)] == [(each.key, each.attempt) for each in channel.heard]

    async def test_waits_with_all_others_while_the_receiver_wants_to_be_left_alone(
        self, store, clock
    ):
        busy = Delivery(outcome="retry", detail="HTTP 429", retry_after_s=20)
        channel, other = Listening(busy), Listening()
        notifier = AlertNotifier(store.outbox, {"pager": channel, "chat": other}, clock=clock)
        first = post(store)
        await notifier.send_due()
        second, elsewhere = post(store, incident="i2"), post(store, channel="chat")

        at_once = await notifier.send_due()
        clock.turn(19)
        too_early = await notifier.send_due()
        clock.turn(2)
        await notifier.send_due()

        assert (1, 0) == (at_once, too_early)
        assert [elsewhere] == [each.key for each in other.heard]
        assert {first, second} == {each.key for each in channel.heard[1:]}

    async def test_dies_visibly_when_it_is_refused(self, store, clock):
        channel = Listening(Delivery(outcome="refused", detail="HTTP 410"))
        key = post(store)

        await AlertNotifier(store.outbox, {"pager": channel}, clock=clock).send_due()

        assert {key: "dead"} == became(store)
        assert {("pager", "dead"): 1} == store.outbox.counts()

    async def test_is_tried_again_when_the_channel_takes_too_long(self, store, clock):
        key, channel = post(store), Listening(pause_s=5)
        sending = Sending(timeout_s=0.05)
        notifier = AlertNotifier(store.outbox, {"pager": channel}, clock=clock, sending=sending)

        await notifier.send_due()

        assert {key: "waiting"} == became(store)

    async def test_dies_when_its_channel_is_gone(self, store, clock):
        key = post(store, channel="gone")

        await AlertNotifier(store.outbox, {"pager": Listening()}, clock=clock).send_due()

        assert {key: "dead"} == became(store)


class Showing(Listening):
    """A channel that takes pictures."""

    TAKES_CHART = True


class Drawing:
    def __init__(self, trouble=None):
        self.trouble = trouble

    async def chart_of(self, notice, *, others):
        if self.trouble:
            raise self.trouble
        return notice.incident.encode()


class TestCharts:
    async def test_go_to_channels_that_take_pictures(self, store, clock):
        pager, mail = Listening(), Worded(Showing(), Templates())
        for channel in ("pager", "mail"):
            post(store, channel=channel)
        channels = {"pager": pager, "mail": mail}

        await AlertNotifier(store.outbox, channels, clock=clock, charts=Drawing()).send_due()

        heard = [*pager.heard, *mail.inner.heard]
        assert [None, b"i1"] == [each.chart for each in heard]

    async def test_that_cannot_be_had_keep_no_message_back(self, store, clock):
        post(store)
        channel, vitals = Showing(), Vitals()
        charts = Drawing(TimeoutError())

        await AlertNotifier(
            store.outbox, {"pager": channel}, clock=clock, vitals=vitals, charts=charts
        ).send_due()

        assert [None] == [each.chart for each in channel.heard]
        assert 1 == vitals.count("notify_charts_missed", error="TimeoutError")


class Fetched(Listening):
    """A channel whose service fetches pictures by their address."""

    TAKES_CHART_LINK = True


class Logged(Listening):
    IS_LOG = True


class Leading:
    """Links of everything."""

    def of(self, notice, channel, *, is_log):
        acts = () if is_log else (Action(name="Acknowledge", link=f"https://q/{channel}"),)
        return Linked(show=f"https://q/{notice.incident}", actions=acts, chart="https://q/chart")


class Broken:
    def of(self, *_, **__):
        raise OSError("the disk is full")


class TestLinks:
    async def test_say_where_the_incident_is_and_what_may_be_done(self, store, clock):
        channels = {"pager": Listening(), "log": Logged()}
        for name in channels:
            post(store, channel=name)

        sending = Sending(links=Leading())
        await AlertNotifier(store.outbox, channels, clock=clock, sending=sending).send_due()

        (paged,), (logged,) = (each.heard for each in channels.values())
        assert ["https://q/i1"] * 2 == [paged.link, logged.link]
        assert "incident: https://q/i1" in paged.text
        assert (["https://q/pager"], ()) == ([one.link for one in paged.actions], logged.actions)

    @pytest.mark.parametrize(
        ("charts", "link"),
        [(Drawing(), "https://q/chart"), (Drawing(TimeoutError()), ""), (None, "")],
    )
    async def test_lead_to_a_chart_only_where_one_can_be_drawn(self, store, clock, charts, link):
        channels = {"pager": Fetched(), "plain": Listening()}
        for name in channels:
            post(store, channel=name)

        sending = Sending(links=Leading())
        await AlertNotifier(
            store.outbox, channels, clock=clock, sending=sending, charts=charts
        ).send_due()

        (fetched,), (plain,) = (each.heard for each in channels.values())
        assert (link, "") == (fetched.chart_link, plain.chart_link)
        assert fetched.chart is None

    async def test_that_cannot_be_made_keep_no_message_back(self, store, clock):
        post(store)
        channel, vitals, sending = Listening(), Vitals(), Sending(links=Broken())

        await AlertNotifier(
            store.outbox, {"pager": channel}, clock=clock, vitals=vitals, sending=sending
        ).send_due()

        assert [""] == [each.link for each in channel.heard]
        assert 1 == vitals.count("notify_links_missed", error="OSError")


class TestTrouble:
    @pytest.mark.parametrize(
        ("outcome", "told"), [("retry", "waits: busy"), ("refused", "will not arrive: busy")]
    )
    async def test_is_told_until_something_arrives(self, store, clock, outcome, told):
        channel = Listening(Delivery(outcome=outcome, detail="busy"))
        notifier = AlertNotifier(store.outbox, {"pager": channel}, clock=clock)
        post(store)
        await notifier.send_due()
        before = [*notifier.problems()]
        post(store, incident="i2")

        await notifier.send_due()

        assert [f"channel pager: a message {told}"] == before
        assert [] == [*notifier.problems()]


class TestOrder:
    async def test_nobody_hears_of_the_end_before_the_beginning(self, store, clock):
        post(store)
        post(store, status="resolved")
        channel = Listening(RETRY)
        notifier = AlertNotifier(store.outbox, {"pager": channel}, clock=clock)

        for _ in range(4):
            await notifier.send_due()
            clock.turn(2)

        assert ["firing", "firing", "resolved"] == [each.notice.status for each in channel.heard]


class TestReference:
    """What a channel calls its message comes back with the next one about the same incident."""

    async def test_comes_along_with_later_messages_also_after_a_restart(self, store, clock):
        post(store)
        post(store, status="resolved")
        named = Delivery(outcome="delivered", reference="C1/17.5")

        for channel in (first := Listening(named), second := Listening()):
            await AlertNotifier(store.outbox, {"pager": channel}, clock=clock).send_due()

        assert [("firing", "")] == [(m.notice.status, m.reference) for m in first.heard]
        assert [("resolved", "C1/17.5")] == [(m.notice.status, m.reference) for m in second.heard]

    async def test_is_the_channels_own_and_the_newest(self, store, clock):
        for status in ("firing", "acknowledged", "resolved"):
            post(store, status=status)
        post(store, channel="mail")
        answers = [Delivery(outcome="delivered", reference=each) for each in ("a", "b", "")]
        pager, mail = Listening(*answers), Listening()
        notifier = AlertNotifier(store.outbox, {"pager": pager, "mail": mail}, clock=clock)

        for _ in range(3):
            await notifier.send_due()

        assert ["", "a", "b"] == [each.reference for each in pager.heard]
        assert [""] == [each.reference for each in mail.heard]

    async def test_is_each_routes_own_where_two_lead_to_one_channel(self, store, clock):
        for group in ("crew", "chief"):
            post(store, group=group)
            post(store, group=group, status="resolved")
        answers = [Delivery(outcome="delivered", reference=each) for each in ("a", "b")]
        notifier = AlertNotifier(store.outbox, {"pager": (pager := Listening(*answers))})

        for _ in range(2):
            await notifier.send_due()

        told = [(m.notice.group, m.notice.status, m.reference) for m in pager.heard]
        assert [("crew", "firing", ""), ("chief", "firing", "")] == told[:2]
        assert {("crew", "resolved", "a"), ("chief", "resolved", "b")} == {*told[2:]}

    async def test_of_what_did_not_arrive_is_not_kept(self, store, clock):
        post(store)
        channel = Listening(Delivery(outcome="retry", reference="x"))
        notifier = AlertNotifier(store.outbox, {"pager": channel}, clock=clock)

        await notifier.send_due()
        clock.turn(2)
        await notifier.send_due()

        assert ["", ""] == [each.reference for each in channel.heard]

    async def test_is_forgotten_with_its_incident(self, store, clock):
        channel = Listening(Delivery(outcome="delivered", reference="x"))
        post(store)
        end(store)
        await AlertNotifier(store.outbox, {"pager": channel}, clock=clock).send_due()
        clock.turn(60)

        forgotten = store.forget(clock.now())

        assert (1, 1) == (forgotten["notifications"], forgotten["incidents"])


def end(store):
    """Its incident is over."""
    [row] = store.incidents.find()
    ended = msgspec.structs.replace(row, state="inactive")
    store.incidents.write(Entry(incidents={row.id: ended}))


class TestOthers:
    async def test_are_counted_that_fire_of_the_same_alert(self, store, clock):
        for number in range(3):
            post(store, incident=f"i{number}")
        channel = Listening()

        await AlertNotifier(store.outbox, {"pager": channel}, clock=clock).send_due()

        assert [2, 2, 2] == [each.others for each in channel.heard]
        assert "others firing: 2" in channel.heard[0].text


class TestLeases:
    def test_are_exclusive_and_end(self, store, clock):
        post(store)
        until = clock.now() + SECOND

        [first] = store.outbox.lease("pager", owner="one", until=until)
        meanwhile = store.outbox.lease("pager", owner="two", until=until)
        clock.turn(2)
        [second] = store.outbox.lease("pager", owner="two", until=clock.now() + SECOND)

        assert [] == meanwhile
        assert (1, 2) == (first.attempts, second.attempts)

    def test_that_are_lost_settle_nothing(self, store, clock):
        post(store)
        [first] = store.outbox.lease("pager", owner="one", until=clock.now())
        store.outbox.lease("pager", owner="two", until=clock.now() + SECOND)
        sent = settle_as(first, DELIVERED, clock.now(), sending=Sending(), chance=Random(1))

        assert not store.outbox.settle(first, sent)

    def test_wait_no_longer_for_a_clock_that_was_set_back(self, store, clock):
        post(store)
        [first] = store.outbox.lease("pager", owner="one", until=clock.now() + SECOND)
        later = Delivery(outcome="retry", detail="busy")
        waits = settle_as(first, later, clock.now(), sending=Sending(), chance=Random(1))
        store.outbox.settle(first, waits)

        assert [] == store.outbox.lease("pager", owner="one", until=clock.now() + SECOND)
        clock.turn(-3_600)
        assert store.outbox.next_due("pager") <= clock.now()
        assert store.outbox.lease("pager", owner="one", until=clock.now() + SECOND)

    def test_are_given_back_when_their_owner_begins_again(self, store, clock):
        post(store)
        store.outbox.lease("pager", owner="agent", until=clock.now() + 60 * SECOND)

        assert 1 == store.outbox.release("agent")

    def test_leave_old_letters_to_be_forgotten(self, store, clock):
        post(store)
        [leased] = store.outbox.lease("pager", owner="one", until=clock.now() + SECOND)
        sent = settle_as(leased, DELIVERED, clock.now(), sending=Sending(), chance=Random(1))
        store.outbox.settle(leased, sent)
        clock.turn(60)
        while_it_fires = store.outbox.forget(before=clock.now())
        end(store)

        assert (0, 1) == (while_it_fires, store.outbox.forget(before=clock.now()))


class TestRunning:
    async def test_sends_at_once_when_woken_and_holds_up_nobody(self, tmp_path):
        store = store_with(tmp_path / "live.db", SystemClock())
        quick, slow = Listening(), Listening(pause_s=60)
        notifier = AlertNotifier(store.outbox, {"pager": quick, "slow": slow}, vitals=Vitals())
        running = asyncio.create_task(notifier.run())
        await asyncio.sleep(0.1)

        for number in range(3):
            post(store, incident=f"i{number}")
            post(store, incident=f"i{number}", channel="slow")
            notifier.wake()
        while len(quick.heard) < 3:
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

        assert 1 == len(slow.heard)
        assert 3 == store.outbox.counts()["slow", "waiting"]
        store.close()


class TestRetrying:
    @given(st.integers(1, 200), st.integers(0, 2**32), st.floats(0, 10_000))
    def test_waits_longer_each_time_within_bounds_and_never_past_the_deadline(self, n, seed, asked):
        leased = Leased(
            id=1,
            key="k",
            incident="i",
            channel="c",
            notice="",
            created_at=0,
            deadline=10**15,
            attempts=n,
        )
        answer = Delivery(outcome="retry", retry_after_s=asked)

        settled = settle_as(leased, answer, 0, sending=Sending(), chance=Random(seed))

        least = min(2.0 ** (n - 1), 300.0) * 0.8
        assert "waiting" == settled.status
        assert max(least, min(asked, 3_600)) - 1e-6 <= settled.due_at / SECOND <= 3_600

    def test_gives_up_at_the_deadline(self):
        leased = Leased(
            id=1,
            key="k",
            incident="i",
            channel="c",
            notice="",
            created_at=0,
            deadline=10,
            attempts=1,
        )

        settled = settle_as(leased, RETRY, 0, sending=Sending(), chance=Random(1))

        assert ("dead", "gave up at the deadline: busy") == (settled.status, settled.detail)
