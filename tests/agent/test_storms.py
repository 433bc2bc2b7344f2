"""A storm: one message to each channel in place of many, rows of what is held, through restarts."""

import msgspec
import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.braking import Braking, described, make_brake
from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.app.quieting import held_by_storms
from qmon_agent.app.why_words import incident_answers
from qmon_agent.domain.clock import HandClock
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.notices import Notice
from qmon_agent.settings import AlertOptions
from qmon_agent.settings.routing import RoutingOptions
from qmon_agent.settings.storm import StormOptions
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.ledger import Entry, Posting
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.signals import Point

TREE = {"receiver": "chat", "group_by": ["..."], "group_wait": 0, "group_interval": "10s"}
GROUPED = TREE | {"group_by": ["alertname"]}
ALERTS = [
    AlertOptions(name="hot", metric="temp", threshold=5, flapping_window=0),
    AlertOptions(name="down", metric="down", threshold=5, severity="critical"),
]
BRAKE = make_brake(StormOptions(messages=3, within="1m"))


class Desk:
    """An alert service with or without a tree, and hosts that get hot."""

    def __init__(self, path, tree):
        self.plan = make_plan(msgspec.convert(tree, RoutingOptions), ["chat"]) if tree else None
        self.clock = HandClock()
        self.vitals = Vitals()
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.restart()
        self.service.declare(ALERTS)

    def restart(self):
        self.service = AlertService(
            self.store, channels=("chat",), clock=self.clock, vitals=self.vitals
        )
        self.service.tell(("chat",), self.plan, storm=BRAKE)

    def say(self, hosts, value=9.0, metric="temp"):
        now = self.clock.now()
        points = [
            Point(metric=metric, value=value, time=now, attributes={"host": str(n)}) for n in hosts
        ]
        self.service.observe(Observed(service="shop", time=now, points=points, position=str(now)))
        self.wait(11)

    def wait(self, seconds):
        for _ in range(seconds):
            self.clock.turn(1)
            self.service.tick()

    def rows(self, status):
        with self.store.reading() as connection:
            asked = "SELECT notice, detail, incident FROM outbox WHERE status = ? ORDER BY id"
            rows = connection.exec_driver_sql(asked, (status,)).all()
        return [(msgspec.json.decode(row[0], type=Notice), row[1], row[2]) for row in rows]

    def told(self):
        return [(said.alert, said.status) for said, _, _ in self.rows("waiting")]


@pytest.fixture(params=["plain", "tree"])
def desk(request, tmp_path):
    desk = Desk(tmp_path / "state.db", TREE if request.param == "tree" else None)
    yield desk
    desk.store.close()


SINGLE, BEGINS = ("hot", "firing"), ("storm of alerts", "firing")
ENDS = ("storm of alerts", "resolved")


class TestAStorm:
    def test_is_one_message_in_place_of_many(self, desk):
        desk.say(range(20))

        assert [SINGLE] * 3 + [BEGINS] == desk.told()
        assert "17 held (17 of 'hot')" in desk.rows("waiting")[-1][0].text
        assert "qmon-agent incidents" in desk.rows("waiting")[-1][0].text

    def test_keeps_a_row_and_a_count_of_each_message_that_is_held(self, desk):
        desk.say(range(20))
        since = desk.service.storms["chat"].since

        assert {f"storm:{since}"} == {detail for _, detail, _ in desk.rows("held")}
        assert 17 == len(desk.rows("held")) == desk.vitals.count("alert_messages_held")

    def test_is_named_with_the_incidents_it_holds(self, desk):
        desk.say(range(20))
        found = desk.store.incidents.find()
        held = held_by_storms(desk.service.storms, desk.store.outbox, found)

        assert (17, {("storm",)}) == (len(held), {*held.values()})
        assert {} == held_by_storms({}, desk.store.outbox, found)

    def test_ends_by_itself_with_a_message(self, desk):
        desk.say(range(20))
        desk.say(range(5, 8), 1.0)
        desk.wait(70)

        assert ENDS == desk.told()[-1]
        assert 1 == desk.told().count(ENDS)
        assert "17 held" in desk.rows("waiting")[-1][0].text
        assert "14 of them fire still" in desk.rows("waiting")[-1][0].text
        assert {} == desk.service.storms

    def test_lets_through_what_is_critical(self, desk):
        desk.say(range(20))
        desk.say([1], metric="down")
        desk.say([1], 1.0, metric="down")

        assert [("down", "firing"), ("down", "resolved")] == desk.told()[-2:]

    def test_tells_that_it_is_over_to_whoever_heard_that_it_began(self, desk):
        desk.say(range(20))
        desk.say(range(20), 1.0)
        desk.wait(70)

        assert 3 == desk.told().count(("hot", "resolved"))
        assert 34 == len(desk.rows("held"))

    def test_says_nothing_of_the_end_of_what_it_held_later_either(self, desk):
        desk.say(range(20))
        desk.wait(70)
        desk.restart()
        desk.say(range(20), 1.0)

        assert [ENDS] + [("hot", "resolved")] * 3 == desk.told()[-4:]
        assert "storm:unheard" == desk.rows("held")[-1][1]

    def test_goes_on_after_a_restart(self, desk):
        desk.say(range(20))
        desk.restart()
        desk.say(range(20, 25))
        desk.restart()
        desk.wait(80)

        assert [SINGLE] * 3 + [BEGINS, ENDS] == desk.told()
        assert "22 held" in desk.rows("waiting")[-1][0].text

    def test_is_over_at_once_where_the_brake_is_taken_off(self, desk):
        desk.say(range(20))
        desk.service.tell(("chat",), desk.plan, storm=make_brake(StormOptions(messages=0)))
        desk.say(range(30, 40))

        assert [ENDS] + [SINGLE] * 10 == desk.told()[4:]

    def test_is_in_the_same_thread_from_its_first_message_to_its_last(self, desk):
        desk.say(range(20))
        desk.wait(70)
        first, last = (said for said, _, _ in desk.rows("waiting")[-2:])

        assert first.thread == last.thread
        assert first.incident == last.incident

    def test_is_described(self, desk):
        desk.say(range(20))
        [(channel, said)] = described(desk.service.storms)

        assert ("chat", 17, 17, {"hot": 17}) == (
            channel, said["held"], said["firing"], said["largest"]
        )  # fmt: skip


class TestAnEntry:
    def test_is_braked_once_however_often_it_is_tried_to_be_written(self):
        braking, entry = Braking("", vitals=Vitals()), Entry()
        braking.by = BRAKE
        entry.postings += [posting(n) for n in range(6)]
        braking.turn(entry, 100)
        braking.turn(entry, 200)
        entry.postings += [posting(n) for n in range(6, 8)]
        braking.turn(entry, 300)

        assert ["waiting"] * 3 + ["held"] * 3 + ["waiting"] + ["held"] * 2 == [
            each.status for each in entry.postings
        ]
        assert 5 == braking.storms["chat"].count

    def test_is_braked_for_each_channel_by_itself(self):
        braking, entry = Braking("", vitals=Vitals()), Entry()
        braking.by = BRAKE
        entry.postings += [posting(n, name) for n in range(3) for name in ("chat", "pager")]
        braking.turn(entry, 100)

        assert {"waiting"} == {each.status for each in entry.postings}


def posting(number, channel="chat"):
    said = Notice(incident=str(number), status="firing", reason="breach", alert="hot")
    notice = msgspec.json.encode(said).decode()
    return Posting(
        key=f"{number}.{channel}", incident=str(number), channel=channel, notice=notice,
        created_at=1, due_at=0, deadline=9,
    )  # fmt: skip


class TestCalm:
    def test_is_what_a_channel_can_hear_one_by_one(self, desk):
        for n in range(12):
            desk.say([n])
            desk.wait(20)

        assert [SINGLE] * 12 == desk.told()

    def test_is_one_message_for_thousands(self, tmp_path):
        desk = Desk(tmp_path / "grouped.db", GROUPED)
        desk.say(range(500))

        assert [SINGLE] == desk.told()
        assert [] == desk.rows("held")
        desk.store.close()


class TestWhy:
    def test_names_the_brake(self):
        message = {"channel": "chat", "says": "firing", "of_group": 0, "tries": []}
        message |= {"status": "held", "detail": "storm:1000000000", "receiver": "", "route": ""}
        incident = {"fired_at": 1, "since": 1, "unknown": "", "transitions": [], "remarks": []}
        incident |= {"merged": [], "handling": {"acked_at": 0, "snoozed_until": 0}}
        told = {
            "incident": incident, "is_open": True, "is_flapping": False, "messages": [message],
            "channels": ["chat"], "routing": None, "groups": [], "now": 2,
            "silences": [], "muted_by": [],
        }  # fmt: skip

        assert "held by the storm brake (storm), since 1970" in "".join(incident_answers(told, ""))


class TestTheSection:
    @pytest.mark.parametrize("within", [0, "soon", "-1m"])
    def test_is_refused_with_its_field(self, within):
        with pytest.raises(ConfigError) as refused:
            make_brake(StormOptions(within=within))

        assert "storm.within" == refused.value.path

    def test_is_on_where_nothing_is_said(self):
        assert (20, 60 * 10**9) == (make_brake(StormOptions()).most, BRAKE.within_ns)
