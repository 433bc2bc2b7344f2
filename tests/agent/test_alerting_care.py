"""What people do with incidents: kept, told, and ended by time, with a tree and without."""

import msgspec
import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.care import Deed
from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.silences import Silence
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.errors import QueryError
from qmon_agent.domain.notices import Notice
from qmon_agent.settings import AlertOptions
from qmon_agent.settings.routing import RoutingOptions
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Point

ALERT = AlertOptions(name="hot", metric="temp", threshold=5)
TREE = {"receiver": "chat", "group_wait": 0, "group_interval": "1m", "repeat_interval": "5m"}


class Desk:
    """An alert service with or without a tree, and one incident or more."""

    def __init__(self, path, tree):
        self.plan = make_plan(msgspec.convert(tree, RoutingOptions), ["chat"]) if tree else None
        self.clock = HandClock()
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.restart()
        self.service.declare([ALERT])

    def restart(self):
        self.service = AlertService(self.store, channels=("chat",), clock=self.clock)
        self.service.tell(("chat",), self.plan)

    def point(self, value, service="shop"):
        now = self.clock.now()
        points = [Point(metric="temp", value=value, time=now)]
        self.service.observe(Observed(service=service, time=now, points=points, position=str(now)))

    def pass_by(self, seconds):
        for _ in range(seconds):
            self.clock.turn(1)
            self.service.tick()

    @property
    def incident(self):
        return next(each.incident for each in self.service.standings() if each.incident)

    def do(self, kind, **how):
        if "lasts" in how:
            how["until"] = self.clock.now() + how.pop("lasts") * SECOND
        return self.service.care.do(self.incident, Deed(kind=kind, by="ann", **how))

    def silence(self, seconds=3_600):
        now, matchers = self.clock.now(), parse_matchers("alertname=hot")
        self.service.muting.add(
            Silence(id="", matchers=matchers, starts_at=now, ends_at=now + seconds * SECOND)
        )

    def told(self):
        with self.store.reading() as connection:
            rows = connection.exec_driver_sql("SELECT notice FROM outbox ORDER BY id").all()
        notices = [msgspec.json.decode(row[0], type=Notice) for row in rows]
        return [(each.status, each.reason) for each in notices]


@pytest.fixture(params=["plain", "tree"])
def desk(request, tmp_path):
    desk = Desk(tmp_path / "state.db", TREE if request.param == "tree" else None)
    desk.point(6.0)
    yield desk
    desk.store.close()


@pytest.fixture
def plain_desk(tmp_path):
    desk = Desk(tmp_path / "state.db", None)
    desk.point(6.0)
    yield desk
    desk.store.close()


@pytest.fixture
def tree_desk(tmp_path):
    desk = Desk(tmp_path / "state.db", TREE)
    desk.point(6.0)
    yield desk
    desk.store.close()


class TestListing:
    def test_has_first_what_fires_then_the_newest(self, desk):
        desk.pass_by(1)
        for service in ("web", "db"):
            desk.point(6.0, service)
            desk.pass_by(1)
            desk.point(1.0, service)
            desk.pass_by(1)

        found = desk.store.incidents.find()
        assert ["firing", "inactive", "inactive"] == [each.state for each in found]
        assert found[1].since > found[2].since > found[0].since
        assert found[:1] == desk.store.incidents.find(limit=1)


class TestAcknowledging:
    def test_is_told_and_kept(self, desk):
        desk.do("ack", text="on it")
        desk.restart()
        handling = desk.store.handlings.lasting()[desk.incident]

        assert ("acknowledged", "acknowledged") == desk.told()[-1]
        assert ("ann", True) == (handling.acked_by, handling.is_acked(desk.clock.now()))
        assert [("ack", "ann", "on it")] == [
            (each.kind, each.author, each.text)
            for each in desk.store.handlings.remarks_of(desk.incident)
        ]

    def test_for_a_time_is_over_after_it_and_told_again(self, desk):
        desk.do("ack", lasts=10)
        desk.restart()
        desk.pass_by(70)

        assert ["firing", "acknowledged", "firing"] == [status for status, _ in desk.told()]
        assert not desk.store.handlings.lasting()[desk.incident].acked_at
        assert "ack_expired" == desk.store.handlings.remarks_of(desk.incident)[-1].kind

    def test_ends_with_the_incident(self, desk):
        desk.do("ack")
        desk.point(1.0)
        desk.pass_by(61)
        desk.point(6.0)
        desk.pass_by(61)

        statuses = [status for status, _ in desk.told()]
        assert ["firing", "acknowledged", "resolved", "firing"] == statuses
        assert {} == desk.store.handlings.lasting()

    def test_twice_is_told_twice(self, desk):
        desk.do("ack")
        desk.pass_by(1)
        desk.do("ack", text="still on it")

        assert ["firing", "acknowledged", "acknowledged"] == [each[0] for each in desk.told()]

    def test_of_what_is_silenced_is_told_to_nobody(self, desk):
        desk.silence()
        desk.do("ack")
        desk.pass_by(61)

        assert ["firing"] == [status for status, _ in desk.told()]
        assert ["ack"] == [r.kind for r in desk.store.handlings.remarks_of(desk.incident)]

    def test_that_is_over_in_a_silence_is_told_after_it(self, desk):
        desk.do("ack", lasts=10)
        desk.pass_by(1)
        desk.silence(100)
        desk.pass_by(90)
        before = [status for status, _ in desk.told()]
        desk.pass_by(70)

        assert ["firing", "acknowledged"] == before
        assert [*before, "firing"] == [status for status, _ in desk.told()]

    def test_keeps_repeats_back(self, tree_desk):
        tree_desk.do("ack")
        tree_desk.pass_by(700)
        assert ["first", "acknowledged"] == [reason for _, reason in tree_desk.told()]

        tree_desk.do("unack")
        tree_desk.pass_by(61)
        assert "repeat" == tree_desk.told()[-1][1]

    def test_of_a_part_of_a_group_is_not_of_the_group(self, tree_desk):
        tree_desk.point(6.0, service="web")
        tree_desk.pass_by(61)
        tree_desk.do("ack")

        assert ["first", "new_alerts"] == [reason for _, reason in tree_desk.told()]


class TestSilences:
    def test_that_are_over_are_why_it_is_told_so_late(self, plain_desk):
        plain_desk.silence(100)
        plain_desk.point(6.0, service="web")
        plain_desk.pass_by(90)
        plain_desk.restart()
        before = plain_desk.told()
        plain_desk.pass_by(11)

        assert [*before, ("firing", "silence_ended")] == plain_desk.told()

    def test_that_ended_while_the_agent_was_away_are_so_too(self, plain_desk):
        plain_desk.silence(100)
        plain_desk.point(6.0, service="web")
        plain_desk.service.checkpoint()
        plain_desk.clock.turn(100)
        plain_desk.restart()

        assert ("firing", "silence_ended") == plain_desk.told()[-1]


class TestSnoozing:
    def test_puts_off_until_its_end(self, desk):
        desk.do("snooze", lasts=600)
        desk.pass_by(599)
        assert 1 == len(desk.told())

        desk.pass_by(62)
        assert ["firing", "firing"] == [status for status, _ in desk.told()]

    def test_of_what_is_over_by_then_tells_no_more(self, desk):
        desk.do("snooze", lasts=100)
        desk.point(1.0)
        desk.pass_by(200)

        assert ["firing", "resolved"] == [status for status, _ in desk.told()]


class TestOtherDeeds:
    @pytest.mark.parametrize("kind", ["assign", "comment", "unack"])
    def test_are_kept_and_told_to_nobody(self, desk, kind):
        desk.do(kind, text="bob")
        desk.pass_by(61)

        assert 1 == len(desk.told())
        assert [(kind, "bob")] == [
            (each.kind, each.text) for each in desk.store.handlings.remarks_of(desk.incident)
        ]
        assigned = desk.store.handlings.lasting()[desk.incident].assignee
        assert ("bob" if kind == "assign" else "") == assigned

    def test_resolve_by_hand(self, desk):
        incident = desk.incident
        desk.do("resolve", text="restarted it")
        desk.pass_by(61)

        assert ["firing", "resolved"] == [status for status, _ in desk.told()]
        assert ["resolve"] == [each.kind for each in desk.store.handlings.remarks_of(incident)]

    def test_are_refused_where_nothing_fires(self, desk):
        with pytest.raises(QueryError, match="no incident 'none' fires"):
            desk.service.care.do("none", Deed(kind="ack"))

    def test_are_refused_where_it_is_over(self, desk):
        incident = desk.incident
        desk.do("resolve")

        with pytest.raises(QueryError, match="fires: it is over"):
            desk.service.care.do(incident, Deed(kind="ack"))

    def test_are_refused_where_it_is_pending(self, desk):
        desk.service.declare([msgspec.structs.replace(ALERT, threshold="> 5 for 1h")])
        desk.point(6.0, service="stock")
        (waiting,) = (one for one in desk.service.standings() if one.state == "pending")

        with pytest.raises(QueryError, match="fires: it is pending still"):
            desk.service.care.do(waiting.incident, Deed(kind="ack"))

    def test_are_forgotten_with_their_incident(self, desk):
        incident = desk.incident
        desk.do("comment", text="hm")
        desk.point(1.0)
        desk.pass_by(61)
        desk.clock.turn(100)
        desk.store.outbox.bury_strangers([])
        desk.store.forget(desk.clock.now())

        assert [] == desk.store.handlings.remarks_of(incident)
