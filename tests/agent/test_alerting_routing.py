"""Routing by a tree: from what arrives to what is told, in groups, through every restart."""

import json

import msgspec
import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.silences import Silence
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.errors import ConfigError, QueryError
from qmon_agent.domain.notices import Notice
from qmon_agent.notify.alertmanager import body_of
from qmon_agent.notify.message import Address, compose
from qmon_agent.settings import AlertOptions
from qmon_agent.settings.routing import RoutingOptions
from qmon_agent.store.state import StateStore

ALERTS = [
    AlertOptions(name="hot", metric="temp", threshold=5, severity="critical"),
    AlertOptions(name="slow", metric="delay", threshold=5),
    AlertOptions(name="own", metric="own", threshold=5, channels=("pager",)),
]
TREE = {
    "receiver": "chat",
    "group_by": ["service"],
    "group_wait": "10s",
    "group_interval": "1m",
    "repeat_interval": "1h",
    "routes": [{"matchers": ['service="db"'], "receiver": "both", "group_wait": 0}],
    "receivers": {"both": {"channels": ["chat", "pager"]}},
    "inhibit_rules": [
        {
            "source_matchers": ['alertname="hot"'],
            "target_matchers": ['alertname="slow"'],
            "equal": ["service"],
        }
    ],
}
CHANNELS = ("chat", "pager")


def plan_of(tree):
    return make_plan(msgspec.convert(tree, RoutingOptions), CHANNELS)


class Desk:
    """An alert service that goes by the tree, a turned clock, and what was told."""

    def __init__(self, path, tree=TREE):
        self.tree = tree
        self.clock = HandClock()
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.restart()
        self.service.declare(ALERTS)

    def restart(self):
        self.service = AlertService(self.store, channels=CHANNELS, clock=self.clock)
        self.service.tell(CHANNELS, plan_of(self.tree) if self.tree else None)

    def point(self, metric, value, service="shop", *, ago=0):
        now = self.clock.now() - ago * SECOND
        attributes = {"at": service}
        self.service.observe(
            Observed(
                service=service,
                time=now,
                points=[point(metric, value, now, attributes)],
                position=str(now),
            )
        )

    def pass_by(self, seconds):
        for _ in range(seconds):
            self.clock.turn(1)
            self.service.tick()

    def told(self):
        """Channel, status and reason of each message, and the alerts in it."""
        with self.store.reading() as connection:
            rows = connection.exec_driver_sql("SELECT channel, notice FROM outbox ORDER BY id")
            notices = [(row[0], msgspec.json.decode(row[1], type=Notice)) for row in rows]
        return [
            (channel, said.status, said.reason, *sorted(each.alert for each in said.members))
            for channel, said in notices
        ]

    def messages(self):
        with self.store.reading() as connection:
            rows = connection.exec_driver_sql("SELECT notice FROM outbox ORDER BY id").all()
        notices = [msgspec.json.decode(row[0], type=Notice) for row in rows]
        return [compose(each, Address(key="k", channel="chat")) for each in notices]

    def silence(self, matchers, seconds, **how):
        now = self.clock.now()
        ends = now + seconds * SECOND
        return self.service.muting.add(
            Silence(id="", matchers=parse_matchers(matchers), starts_at=now, ends_at=ends, **how)
        )


def point(metric, value, now, attributes):
    from qmon_sdk.protocol.signals import Point

    return Point(metric=metric, value=value, time=now, attributes=attributes)


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "state.db")
    yield desk
    desk.store.close()


@pytest.fixture
def plain_desk(tmp_path):
    """One without a tree."""
    desk = Desk(tmp_path / "state.db", tree=None)
    yield desk
    desk.store.close()


class TestGroups:
    def test_are_told_together_when_they_have_waited(self, desk):
        desk.point("temp", 6.0)
        desk.pass_by(5)
        desk.point("delay", 6.0, service="web")
        desk.point("own", 6.0)
        desk.pass_by(5)
        desk.pass_by(5)

        assert [
            ("pager", "firing", "breach"),
            ("chat", "firing", "first", "hot"),
            ("chat", "firing", "first", "slow"),
        ] == desk.told()

    def test_of_two_routes_have_two_names_that_are_the_same_until_their_ends(self, tmp_path):
        branches = [{"matchers": ['severity="critical"'], "continue": True}, {"group_by": ["at"]}]
        desk = Desk(tmp_path / "two.db", TREE | {"routes": branches, "group_wait": 0})
        desk.point("temp", 6.0)
        desk.restart()
        desk.point("temp", 1.0)
        desk.pass_by(61)

        first, second, *ends = [message.notice.thread for message in desk.messages()]
        assert first != second
        assert {first, second} == {*ends}
        assert 1 == len({message.notice.incident for message in desk.messages()})
        desk.store.close()

    def test_wait_for_the_next_look_also_with_news_that_is_judged_late(self, desk):
        desk.point("delay", 6.0)
        desk.pass_by(10)
        desk.point("temp", 6.0, ago=2)

        assert [("chat", "firing", "first", "slow")] == desk.told()

    def test_are_told_at_once_where_nobody_waits(self, desk):
        desk.point("temp", 6.0, service="db")

        assert [
            ("chat", "firing", "first", "hot"),
            ("pager", "firing", "first", "hot"),
        ] == desk.told()

    def test_have_news_and_an_end(self, desk):
        desk.point("temp", 6.0)
        desk.pass_by(10)
        desk.point("temp", 1.0)
        desk.pass_by(120)

        assert [
            ("chat", "firing", "first", "hot"),
            ("chat", "resolved", "all_resolved", "hot"),
        ] == desk.told()

    @pytest.mark.parametrize("moment", [0, 5, 10, 30, 69])
    def test_outlive_the_agent(self, desk, moment):
        desk.point("temp", 6.0)
        desk.pass_by(moment)
        desk.restart()
        desk.pass_by(70 - moment)
        desk.restart()
        desk.point("temp", 1.0)
        desk.restart()
        desk.pass_by(70)

        assert [
            ("chat", "firing", "first", "hot"),
            ("chat", "resolved", "all_resolved", "hot"),
        ] == desk.told()
        assert ([], []) == desk.store.groups.all()

    def test_have_one_name_from_their_beginning_to_their_end(self, desk):
        desk.point("temp", 6.0, service="db")
        desk.point("delay", 6.0, service="db")
        desk.point("temp", 1.0, service="db")
        desk.pass_by(200)

        names = {message.notice.incident for message in desk.messages()}
        assert 1 == len(names)

    def test_are_repeated(self, desk):
        desk.point("temp", 6.0)
        desk.pass_by(10)
        desk.clock.turn(3_600)
        desk.pass_by(1)

        assert ["first", "repeat"] == [told[2] for told in desk.told()]

    def test_are_over_at_once_for_whoever_heard_of_them_when_the_alert_is_gone(self, desk):
        desk.point("temp", 6.0, service="db")
        desk.pass_by(1)
        desk.service.declare([])
        told = desk.told()
        desk.pass_by(120)

        assert told == desk.told()
        assert [(name, "resolved", "all_resolved", "hot") for name in CHANNELS] == told[2:]
        assert ([], []) == desk.store.groups.all()

    def test_say_which_of_them_is_over_when_one_alert_is_gone(self, desk):
        desk.tree = {**TREE, "inhibit_rules": [], "routes": []}
        desk.restart()
        desk.point("temp", 6.0)
        desk.point("delay", 6.0)
        desk.pass_by(11)
        desk.service.declare(ALERTS[1:])

        assert [
            ("chat", "firing", "first", "hot", "slow"),
            ("chat", "firing", "new_resolved", "hot", "slow"),
        ] == desk.told()
        assert "its alert was taken out of the configuration" in desk.messages()[-1].text

    def test_are_over_for_whoever_heard_of_them_when_the_alert_went_while_away(self, desk):
        desk.point("temp", 6.0)
        desk.pass_by(11)
        desk.store.catalog.set_alert_status(["hot"], "inactive")
        desk.restart()
        desk.service.declare([])

        assert [("chat", "resolved", "all_resolved", "hot")] == desk.told()[1:]

    def test_wait_still_when_an_alert_is_gone_that_nobody_has_heard_of(self, desk):
        desk.point("temp", 6.0)
        desk.service.declare([])
        desk.pass_by(120)

        assert [] == desk.told()

    def test_go_to_others_when_the_tree_is_changed(self, desk):
        desk.point("temp", 6.0)
        desk.pass_by(10)
        desk.tree = {**TREE, "routes": [], "receiver": "pager", "group_by": ["alertname"]}
        desk.service.tell(CHANNELS, plan_of(desk.tree))
        desk.pass_by(10)

        assert [("chat", "first"), ("pager", "first")] == [(t[0], t[2]) for t in desk.told()]

    def test_are_told_by_channels_again_when_there_is_no_tree_any_more(self, desk):
        desk.point("temp", 6.0)
        desk.service.tell(CHANNELS)
        desk.service.checkpoint()

        assert [("chat", "channel_added"), ("pager", "channel_added")] == [
            (told[0], told[2]) for told in desk.told()
        ]
        assert ([], []) == desk.store.groups.all()

    def test_are_kept_with_their_incidents_for_as_long_as_they_are(self, desk):
        desk.point("temp", 6.0)
        desk.store.forget(desk.clock.now() + SECOND)
        desk.pass_by(10)

        assert ["first"] == [told[2] for told in desk.told()]


class TestWhatIsSaid:
    def test_of_several_is_what_they_have_in_common_and_each(self, desk):
        desk.tree = {**TREE, "inhibit_rules": []}
        desk.restart()
        desk.point("temp", 6.0)
        desk.point("delay", 7.0)
        desk.pass_by(10)
        (message,) = desk.messages()

        assert "[FIRING] critical: 2 alerts on shop: 2 firing" == message.title
        assert "labels: at=shop, service=shop" in message.text.splitlines()
        assert [
            "- [FIRING] critical: hot on shop",
            "- [FIRING] warning: slow on shop",
        ] == message.text.splitlines()[-2:]
        assert "value: 6" not in message.text

    def test_to_a_webhook_has_an_alert_for_each(self, desk):
        desk.tree = {**TREE, "inhibit_rules": []}
        desk.restart()
        desk.point("temp", 6.0)
        desk.point("delay", 7.0)
        desk.pass_by(10)
        body = json.loads(body_of(desk.messages()[0]))

        assert ({"service": "shop"}, "chat") == (body["groupLabels"], body["receiver"])
        assert {"at": "shop", "service": "shop"} == body["commonLabels"]
        assert ["hot", "slow"] == [each["labels"]["alertname"] for each in body["alerts"]]

    def test_of_a_crowd_is_cut(self, desk):
        notice = Notice(incident="1", status="firing", reason="first", alert="a")
        crowd = msgspec.structs.replace(notice, members=(notice,) * 30, left_out=5)

        lines = compose(crowd, Address(key="k", channel="c")).text.splitlines()
        assert 20 == sum(line.startswith("- [") for line in lines)
        assert "- and 15 more" == lines[-1]


class TestMutes:
    def test_keep_back_what_something_worse_explains(self, desk):
        desk.point("temp", 6.0)
        desk.point("delay", 6.0)
        desk.pass_by(120)

        assert [("chat", "firing", "first", "hot")] == desk.told()

    def test_keep_back_what_is_silenced_until_it_is_not(self, desk):
        desk.silence("alertname=hot", 100)
        desk.point("temp", 6.0)
        desk.restart()
        desk.pass_by(69)
        assert [] == desk.told()

        desk.pass_by(70)

        assert [("chat", "firing", "first", "hot")] == desk.told()

    @pytest.mark.parametrize("ended", [True, False])
    def test_hold_without_a_tree_too(self, plain_desk, ended):
        desk = plain_desk
        silence = desk.silence("alertname=hot", 100)
        desk.point("temp", 6.0)
        desk.restart()
        desk.pass_by(10)
        assert [] == desk.told()

        if ended:
            desk.service.muting.expire(silence.id)
        desk.pass_by(10 if ended else 95)

        assert [("chat", "firing"), ("pager", "firing")] == [each[:2] for each in desk.told()]

    def test_of_what_ends_while_it_is_silenced_nobody_hears(self, plain_desk):
        plain_desk.silence("service=shop", 100)
        plain_desk.point("temp", 6.0)
        plain_desk.point("temp", 1.0)
        plain_desk.pass_by(120)

        assert [] == plain_desk.told()

    def test_end_with_what_they_muted_where_they_shall(self, desk):
        silence = desk.silence("alertname=hot", 10_000, until_resolved=True)
        desk.point("temp", 6.0)
        desk.pass_by(5)
        desk.point("temp", 1.0)
        desk.pass_by(5)
        (kept,) = desk.service.muting.all()

        assert silence.id == kept.id
        assert "expired" == kept.state(desk.clock.now())

    @pytest.mark.parametrize("matchers", ["", "team!=x"])
    def test_are_never_of_everything(self, desk, matchers):
        with pytest.raises(QueryError, match="at least one matcher"):
            desk.silence(matchers, 100)


class TestTheSection:
    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"receiver": ""}, "routing.receiver"),
            ({"receiver": "chatt"}, "routing.receiver"),
            ({"matchers": ["a=b"]}, "routing.matchers"),
            ({"group_wait": "soon"}, "routing.group_wait"),
            ({"group_interval": 0}, "routing.group_interval"),
            ({"group_by": ["...", "a"]}, "routing.group_by"),
            ({"routes": [{"matchers": ["a=~("]}]}, "routing.routes[0].matchers"),
            ({"routes": [{"mute_time_intervals": ["n"]}]}, "routing.routes[0].mute_time_intervals"),
            ({"receivers": {"x": {"channels": ["no"]}}}, "routing.receivers.x.channels"),
            ({"inhibit_rules": [{"equal": ["a"]}]}, "routing.inhibit_rules[0].source_matchers"),
            (
                {"time_intervals": {"n": [{"weekdays": ["mon"]}]}},
                "routing.time_intervals.n[0].weekdays",
            ),
        ],
    )
    def test_says_where_it_is_wrong(self, change, path):
        with pytest.raises(ConfigError) as caught:
            plan_of({**TREE, **change})

        assert path in {caught.value.path, *(each.path for each in caught.value.others)}

    def test_offers_what_may_have_been_meant(self):
        with pytest.raises(ConfigError, match="did you mean 'chat'"):
            plan_of({**TREE, "receiver": "chatt"})


def test_is_json_in_the_outbox(desk):
    desk.point("temp", 6.0, service="db")
    with desk.store.reading() as connection:
        (text, *_) = connection.exec_driver_sql("SELECT notice FROM outbox").first()

    assert "both" == json.loads(text)["receiver"]


class TestSeverity:
    @pytest.fixture
    def told(self, tmp_path):
        """Of an alert that begins as a warning or worse, and whose critical route is another."""
        critical = {"matchers": ["severity=critical"], "receiver": "chat", "group_wait": 0}
        tree = {"receiver": "pager", "group_wait": 0, "routes": [critical]}
        desk = Desk(tmp_path / "state.db", tree=tree)
        hot = AlertOptions(name="hot", metric="temp", threshold=80, options={"critical": "> 90"})
        desk.service.declare([hot])

        def told(*values):
            for value in values:
                desk.point("temp", value)
                desk.pass_by(301)
            return [each[:2] for each in desk.told()]

        yield told
        desk.store.close()

    def test_that_falls_leaves_the_end_to_those_who_heard_of_the_beginning(self, told):
        assert [("chat", "firing"), ("chat", "resolved")] == told(95.0, 85.0, 10.0)

    def test_that_rises_is_told_where_it_leads_to(self, told):
        assert [
            ("pager", "firing"),
            ("chat", "firing"),
            ("chat", "resolved"),
        ] == told(85.0, 95.0, 10.0)
