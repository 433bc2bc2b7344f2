"""Who is on call is told, and while nobody takes it on, others are."""

from datetime import UTC, datetime

import msgspec
import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.care import Deed
from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.errors import ConfigError
from qmon_agent.settings import AlertOptions
from qmon_agent.settings.oncall import OncallOptions
from qmon_agent.settings.routing import RoutingOptions
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Point

CHANNELS = ("chat", "ann-phone", "bob-phone", "boss")
TREE = {
    "receiver": "team",
    "group_wait": 0,
    "group_interval": "5m",
    "repeat_interval": "1h",
    "receivers": {
        "team": {
            "channels": ["chat"],
            "escalate": [
                {"after": "2m", "oncall": ["duty"]},
                {"after": "7m", "channels": ["boss"]},
            ],
        },
        "duty": {"oncall": ["duty"]},
    },
}
PEOPLE = {"ann": ["ann-phone"], "bob": ["bob-phone"]}
LAYER = {"people": ["ann", "bob"], "starts": "2026-01-05", "at": "09:00", "turn": "days"}
ONCALL = {"people": PEOPLE, "schedules": {"duty": {"layers": [LAYER]}}}


def plan_of(tree=TREE, oncall=ONCALL):
    options = msgspec.convert(oncall, OncallOptions)
    return make_plan(msgspec.convert(tree, RoutingOptions), CHANNELS, options)


class Desk:
    """An alert service on Monday at ten, one day of Ann's."""

    def __init__(self, path):
        start = datetime(2026, 1, 5, 10, tzinfo=UTC)
        self.began = int(start.timestamp()) * SECOND
        self.clock = HandClock(self.began)
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.tree = TREE
        self.start()
        self.service.declare([AlertOptions(name="hot", metric="temp", threshold=5)])

    def start(self):
        self.service = AlertService(self.store, channels=CHANNELS, clock=self.clock)
        self.service.tell(CHANNELS, plan_of(self.tree))

    def repeat(self, times):
        team = TREE["receivers"]["team"] | {"repeat": times}
        self.tree = TREE | {"receivers": TREE["receivers"] | {"team": team}}
        self.start()

    def point(self, value, service="shop"):
        now = self.clock.now()
        points = [Point(metric="temp", value=value, time=now)]
        self.service.observe(Observed(service=service, time=now, points=points, position=str(now)))

    def pass_by(self, minutes):
        for _ in range(minutes * 4):
            self.clock.turn(15)
            self.service.tick()

    def do(self, kind, **how):
        name = next(each.incident for each in self.service.standings() if each.incident)
        self.service.care.do(name, Deed(kind=kind, **how))

    def told(self):
        """Minutes since the start, who, and how it stood."""
        with self.store.reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT created_at, channel, notice FROM outbox ORDER BY id"
            )
            return [
                (
                    (row[0] - self.began) // (60 * SECOND),
                    row[1],
                    msgspec.json.decode(row[2])["status"],
                )
                for row in rows
            ]


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "state.db")
    yield desk
    desk.store.close()


class TestEscalation:
    def test_calls_one_after_the_other_in_their_time(self, desk):
        desk.point(6.0)
        desk.pass_by(20)

        assert [
            (0, "chat", "firing"),
            (2, "ann-phone", "firing"),
            (7, "boss", "firing"),
        ] == desk.told()

    @pytest.mark.parametrize("moment", [1, 8, 9, 12, 30])
    def test_is_repeated_as_a_whole_as_often_as_it_shall_be(self, desk, moment):
        desk.repeat(2)
        desk.point(6.0)
        desk.pass_by(moment)
        desk.start()
        desk.pass_by(45 - moment)

        rounds = [(0, "chat"), (2, "ann-phone"), (7, "boss")]
        expected = [(n * 9 + at, who) for n in range(3) for at, who in rounds]
        assert expected == [(at, who) for at, who, _ in desk.told()]

    def test_is_repeated_no_more_when_somebody_takes_it_on(self, desk):
        desk.repeat(2)
        desk.point(6.0)
        desk.pass_by(10)
        desk.do("ack")
        desk.pass_by(40)

        assert 4 == len([each for each in desk.told() if each[2] == "firing"])

    def test_begins_anew_with_all_its_rounds_when_it_is_given_back(self, desk):
        desk.repeat(1)
        desk.point(6.0)
        desk.pass_by(3)
        desk.do("ack")
        desk.do("unack")
        desk.pass_by(30)

        calls = [who for _, who, status in desk.told() if status == "firing"]
        assert ["boss", "boss"] == [who for who in calls if who == "boss"]

    def test_makes_up_once_for_the_rounds_it_was_away_for(self, desk):
        desk.repeat(2)
        desk.point(6.0)
        desk.pass_by(8)
        desk.clock.turn(20 * 60)
        desk.start()
        desk.pass_by(20)

        calls = ("chat", "ann-phone", "boss")
        assert [*calls, *calls] == [who for _, who, _ in desk.told()]

    @pytest.mark.parametrize("wrong", [{"repeat": -1}, {"repeat": 1, "escalate": []}])
    def test_has_to_be_there_to_be_repeated(self, wrong):
        team = TREE["receivers"]["team"] | wrong
        with pytest.raises(ConfigError, match=r"routing\.receivers\.team\.repeat"):
            plan_of(TREE | {"receivers": TREE["receivers"] | {"team": team}})

    @pytest.mark.parametrize("moment", [1, 2, 3, 6])
    def test_goes_on_after_a_restart(self, desk, moment):
        desk.point(6.0)
        desk.pass_by(moment)
        desk.start()
        desk.pass_by(20 - moment)

        assert ["chat", "ann-phone", "boss"] == [channel for _, channel, _ in desk.told()]

    def test_stops_when_somebody_takes_it_on(self, desk):
        desk.point(6.0)
        desk.pass_by(3)
        desk.do("ack", by="ann")
        desk.pass_by(20)

        assert [
            (0, "chat", "firing"),
            (2, "ann-phone", "firing"),
            (3, "chat", "acknowledged"),
            (3, "ann-phone", "acknowledged"),
        ] == desk.told()

    def test_waits_anew_when_nobody_has_it_any_more(self, desk):
        desk.point(6.0)
        desk.do("ack", until=desk.clock.now() + 600 * SECOND)
        desk.pass_by(30)
        firing = [
            (minute, channel) for minute, channel, status in desk.told() if status == "firing"
        ]

        assert [(0, "chat"), (10, "chat"), (12, "ann-phone"), (17, "boss")] == firing

    def test_stops_when_it_is_over_and_tells_those_who_were_called(self, desk):
        desk.point(6.0)
        desk.pass_by(3)
        desk.point(1.0)
        desk.pass_by(20)

        resolved = [
            (minute, channel) for minute, channel, status in desk.told() if status == "resolved"
        ]
        assert [(5, "chat"), (5, "ann-phone")] == resolved

    def test_tells_no_news_before_its_time(self, desk):
        desk.point(6.0)
        desk.pass_by(1)
        desk.point(6.0, service="web")
        desk.pass_by(3)

        assert [(0, "chat"), (2, "ann-phone")] == [told[:2] for told in desk.told()]


class TestOnCall:
    @pytest.fixture
    def duty_desk(self, desk):
        desk.tree = {**TREE, "receiver": "duty"}
        desk.start()
        return desk

    def test_is_who_has_the_turn(self, duty_desk):
        duty_desk.point(6.0)

        assert [(0, "ann-phone", "firing")] == duty_desk.told()

    def test_hears_of_what_still_fires_and_who_leaves_hears_the_end(self, duty_desk):
        duty_desk.clock.turn(22 * 3_600)
        duty_desk.point(6.0)
        duty_desk.pass_by(70)
        duty_desk.point(1.0)
        duty_desk.pass_by(6)
        told = [(channel, status) for _, channel, status in duty_desk.told()]

        assert ("ann-phone", "firing") == told[0]
        assert ("bob-phone", "firing") == told[1]
        assert {("ann-phone", "resolved"), ("bob-phone", "resolved")} == set(told[2:])


class TestTheSection:
    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"people": {"ann": ["phone"], "bob": []}}, "oncall.people.ann"),
            ({"schedules": {"duty": {"layers": [{**LAYER, "people": ["anne"]}]}}}, "people"),
            ({"schedules": {"duty": {"layers": [{**LAYER, "people": []}]}}}, "length"),
            ({"schedules": {"duty": {"layers": [{**LAYER, "starts": "monday"}]}}}, "starts"),
            ({"schedules": {"duty": {"layers": [{**LAYER, "at": "25:00"}]}}}, "at"),
            ({"schedules": {"duty": {"layers": [{**LAYER, "zone": "Mars"}]}}}, "zone"),
            ({"schedules": {"duty": {"layers": [{**LAYER, "only": ["nights"]}]}}}, "only"),
            ({"schedules": {}}, "routing.receivers.duty.oncall"),
        ],
    )
    def test_says_where_it_is_wrong(self, change, path):
        with pytest.raises(ConfigError) as caught:
            plan_of(oncall={**ONCALL, **change})

        paths = [caught.value.path, *(each.path for each in caught.value.others)]
        assert [each for each in paths if each.endswith(path)]

    def test_has_overrides(self):
        override = {"person": "bob", "starts": "2026-01-05 10:00", "ends": "2026-01-05 12:00"}
        oncall = {**ONCALL, "schedules": {"duty": {"layers": [LAYER], "overrides": [override]}}}
        plan = plan_of(oncall=oncall)
        at = [int(datetime(2026, 1, 5, hour, tzinfo=UTC).timestamp()) * SECOND for hour in (9, 11)]

        assert [["ann-phone"], ["bob-phone"]] == [
            [each.channel for each in plan.endpoints("duty", now)] for now in at
        ]
