"""Merged incidents: told as one, handled as one, over when all are; with a tree and without."""

import msgspec
import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.care import Deed
from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.app.alert_figures import figures_since, label_incident
from qmon_agent.app.management import incidents_of, whole_incident
from qmon_agent.domain.clock import HandClock
from qmon_agent.domain.errors import QueryError
from qmon_agent.domain.notices import Notice
from qmon_agent.settings import AlertOptions
from qmon_agent.settings.routing import RoutingOptions
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Point

TREE = {
    "receiver": "chat",
    "group_by": ["alertname"],
    "group_wait": 0,
    "group_interval": "10s",
    "repeat_interval": "1h",
}
ALERTS = [
    AlertOptions(name=name, metric=name, threshold=5, options={"critical": 10})
    for name in ("db", "web", "mail")
]


class Desk:
    """An alert service with three alerts that fire, and what was told of each."""

    def __init__(self, path, tree):
        self.plan = make_plan(msgspec.convert(tree, RoutingOptions), ["chat"]) if tree else None
        self.clock = HandClock()
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.restart()
        self.service.declare(ALERTS)
        for each in ALERTS:
            self.point(each.name, 6.0)
        self.ids = {each.alert: each.incident for each in self.service.standings()}
        self.pass_by(1)

    def restart(self):
        self.service = AlertService(self.store, channels=("chat",), clock=self.clock)
        self.service.tell(("chat",), self.plan)

    def point(self, metric, value):
        now = self.clock.now()
        points = [Point(metric=metric, value=value, time=now)]
        self.service.observe(Observed(service="shop", time=now, points=points, position=str(now)))

    def pass_by(self, seconds):
        for _ in range(seconds):
            self.clock.turn(1)
            self.service.tick()

    def end(self, *names):
        for name in names:
            self.point(name, 1.0)
        self.pass_by(11)

    def merge(self, into, *others):
        ids = [self.ids.get(each, each) for each in others]
        merged = self.service.care.merge(self.ids.get(into, into), ids, by="ann")
        self.pass_by(11)
        return merged

    def do(self, name, kind, **how):
        handling = self.service.care.do(self.ids[name], Deed(kind=kind, by="ann", **how))
        self.pass_by(11)
        return handling

    def told(self, name):
        with self.store.reading() as connection:
            rows = connection.exec_driver_sql("SELECT notice FROM outbox ORDER BY id").all()
        notices = [msgspec.json.decode(row[0], type=Notice) for row in rows]
        return [each.status for each in notices if each.incident == self.ids[name]]

    def state(self, name):
        return self.store.incidents.one(self.ids[name]).state

    def shown(self, name):
        return whole_incident(self.store, self.ids[name])


@pytest.fixture(params=["plain", "tree"])
def desk(request, tmp_path):
    desk = Desk(tmp_path / "state.db", TREE if request.param == "tree" else None)
    yield desk
    desk.store.close()


class TestMerging:
    def test_ends_the_messages_of_what_is_merged(self, desk):
        assert [desk.ids["web"]] == desk.merge("db", "web")
        desk.end("web")

        assert ["firing", "resolved"] == desk.told("web")
        assert ["firing"] == desk.told("db")
        assert "inactive" == desk.state("web")

    def test_lets_the_survivor_last_until_all_are_over(self, desk):
        desk.merge("db", "web", "mail")
        desk.end("db", "mail")
        assert ("recovering", ["firing"]) == (desk.state("db"), desk.told("db"))
        desk.end("web")

        assert ("inactive", ["firing", "resolved"]) == (desk.state("db"), desk.told("db"))

    def test_goes_on_where_the_survivor_comes_back(self, desk):
        desk.merge("db", "web")
        desk.end("db")
        desk.point("db", 7.0)
        desk.end("web")

        assert ("firing", ["firing"]) == (desk.state("db"), desk.told("db"))
        assert desk.ids["db"] == next(
            each.incident for each in desk.service.standings() if each.alert == "db"
        )

    @pytest.mark.parametrize("ended", ["db", "web"])
    def test_survives_a_restart(self, desk, ended):
        desk.merge("db", "web")
        desk.end(ended)
        desk.restart()
        desk.pass_by(11)
        assert ["firing"] == desk.told("db")
        desk.end("db", "web")

        assert ["firing", "resolved"] == desk.told("db") == desk.told("web")

    def test_is_for_what_comes_back_no_more(self, desk):
        desk.merge("db", "web")
        desk.end("web")
        desk.point("web", 7.0)
        again = next(each.incident for each in desk.service.standings() if each.alert == "web")
        desk.ids["web"] = again
        desk.pass_by(11)

        assert ["firing"] == desk.told("web")

    def test_takes_along_what_was_merged_before(self, desk):
        desk.merge("web", "mail")
        merged = desk.merge("db", "web")
        desk.end("db", "web")

        assert {desk.ids["web"], desk.ids["mail"]} == set(merged)
        assert ("recovering", ["firing"]) == (desk.state("db"), desk.told("db"))

    def test_into_what_is_merged_is_into_its_survivor(self, desk):
        desk.merge("db", "web")

        assert {desk.ids["web"], desk.ids["mail"]} == set(desk.merge("web", "mail"))

    @pytest.mark.parametrize(
        ("others", "reason"),
        [(["web", "none"], "no incident 'none' fires"), (["web", "db"], "into itself")],
    )
    def test_is_of_all_or_nothing(self, desk, others, reason):
        with pytest.raises(QueryError, match=reason):
            desk.merge("db", *others)

        assert [] == desk.shown("db")["merged"]
        assert ["firing"] == desk.told("web")

    def test_of_what_is_over_is_refused(self, desk):
        desk.end("web")

        with pytest.raises(QueryError, match="it is over"):
            desk.merge("db", "web")

    def test_is_undone_by_a_member_that_gets_worse(self, desk):
        desk.merge("db", "web")
        desk.point("web", 11.0)
        desk.pass_by(11)

        assert ["firing", "resolved", "firing"] == desk.told("web")
        assert ("split", "it got worse") == tuple(
            desk.shown("web")["remarks"][-1][each] for each in ("kind", "text")
        )


class TestHandling:
    def test_of_a_member_is_of_its_survivor(self, desk):
        desk.merge("db", "web")
        desk.do("web", "ack")
        desk.do("web", "comment", text="a cable")
        said = [(each["kind"], each["text"]) for each in desk.shown("db")["remarks"]]

        assert "ann" == desk.shown("db")["handling"]["acked_by"]
        assert [("merge", desk.ids["web"]), ("ack", ""), ("comment", "a cable")] == said
        assert ["firing", "acknowledged"] == desk.told("db")

    def test_resolves_all(self, desk):
        desk.merge("db", "web")
        desk.do("web", "resolve")

        assert ["inactive", "inactive"] == [desk.state("db"), desk.state("web")]
        assert ["firing", "resolved"] == desk.told("db") == desk.told("web")

    @pytest.mark.parametrize("name", ["db", "web"])
    def test_resolves_all_where_the_service_is_embedded_too(self, desk, name):
        desk.merge("db", "web")
        resolved = desk.service.resolve(desk.ids[name])
        desk.pass_by(11)

        assert resolved
        assert ["inactive", "inactive"] == [desk.state("db"), desk.state("web")]
        assert ["firing", "resolved"] == desk.told("db") == desk.told("web")
        assert "resolve" in [each["kind"] for each in desk.shown("web")["remarks"]]


class TestFlapping:
    """What flaps is one incident until it is steady, also where it is told as another."""

    @pytest.fixture(autouse=True)
    def flaps(self, desk):
        """Of `web`, each change is told until it changes too often."""
        flapping = msgspec.structs.replace(ALERTS[1], flapping_window="200s")
        desk.service.declare([ALERTS[0], flapping, ALERTS[2]])
        self.flap(desk, "web", times=8)
        standing = next(each for each in desk.service.standings() if each.alert == "web")
        assert standing.is_flapping
        desk.ids["web"] = standing.incident

    def flap(self, desk, name, *, times):
        for n in range(times):
            desk.point(name, 6.0 if n % 2 else 1.0)
            desk.pass_by(10)

    def test_of_a_member_is_told_by_nobody(self, desk):
        desk.merge("db", "web")
        before = desk.told("web")
        self.flap(desk, "web", times=20)

        assert ("resolved", before) == (before[-1], desk.told("web"))
        assert ["firing"] == desk.told("db")
        assert desk.ids["web"] in desk.shown("db")["merged"]

    def test_of_a_member_keeps_the_survivor_open_until_it_is_steady(self, desk):
        desk.merge("db", "web")
        desk.end("db")
        desk.point("web", 1.0)
        desk.pass_by(11)
        assert ("recovering", ["firing"]) == (desk.state("db"), desk.told("db"))
        desk.pass_by(300)

        assert ["inactive", "inactive"] == [desk.state("db"), desk.state("web")]
        assert ["firing", "resolved"] == desk.told("db")

    def test_of_the_survivor_is_told_once_with_what_is_merged_into_it(self, desk):
        desk.merge("web", "db")
        before = desk.told("web")
        self.flap(desk, "web", times=20)
        desk.end("db")
        assert before == desk.told("web")
        desk.point("web", 1.0)
        desk.pass_by(300)

        assert [*before, "resolved"] == desk.told("web")
        assert ["firing", "resolved"] == desk.told("db")

    def test_goes_on_after_a_restart(self, desk):
        desk.merge("db", "web")
        before = desk.told("web")
        desk.restart()
        self.flap(desk, "web", times=10)
        assert before == desk.told("web")
        desk.end("db", "web")
        desk.pass_by(300)

        assert ["firing", "resolved"] == desk.told("db")
        assert before == desk.told("web")


class TestSplitting:
    def test_lets_it_be_told_again(self, desk):
        desk.merge("db", "web")
        desk.do("web", "split")
        assert ["firing", "resolved", "firing"] == desk.told("web")
        desk.end("db", "web")

        assert ["firing", "resolved"] == desk.told("db")
        assert ["firing", "resolved", "firing", "resolved"] == desk.told("web")

    def test_ends_what_was_held_for_it(self, desk):
        desk.merge("db", "web")
        desk.end("db")
        desk.do("web", "split")

        assert ("inactive", ["firing", "resolved"]) == (desk.state("db"), desk.told("db"))

    def test_of_what_is_not_merged_names_what_is(self, desk):
        desk.merge("db", "web")

        with pytest.raises(QueryError, match=f"to be split off, are: {desk.ids['web']}"):
            desk.do("db", "split")

    def test_happens_by_itself_where_the_survivors_alert_is_gone(self, desk):
        desk.merge("db", "web")
        desk.service.declare([each for each in ALERTS if each.name != "db"])
        desk.pass_by(11)

        assert ["firing", "resolved", "firing"] == desk.told("web")
        assert "what it was merged into is gone" in desk.shown("web")["remarks"][-1]["text"]


class TestHistory:
    def test_tells_who_merged_what_and_when(self, desk):
        desk.merge("db", "web")
        last = desk.shown("web")["remarks"][-1]

        assert ("merged", "ann", desk.ids["db"]) == (last["kind"], last["author"], last["text"])
        assert "merged" == desk.shown("web")["transitions"][-1]["reason"]
        assert [desk.ids["web"]] == desk.shown("db")["merged"]

    def test_lists_what_each_is_merged_into(self, desk):
        desk.merge("db", "web")
        desk.end("db", "web")
        listed = {
            each["alert_name"]: each["merged_into"]
            for each in incidents_of(desk.store, desk.store.incidents.find(), {})
        }

        assert {"db": "", "web": desk.ids["db"], "mail": ""} == listed

    def test_counts_an_episode_once(self, desk):
        desk.merge("db", "web", "mail")
        assert label_incident(desk.store, desk.ids["web"], {"text": "useful"}, clock=desk.clock)
        told = figures_since(desk.store, since_s=3600, zone="UTC", people={}, clock=desk.clock)

        assert (1, 1) == (told["fired"], told["quality"]["useful"])
