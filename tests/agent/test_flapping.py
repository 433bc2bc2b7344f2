"""What flaps: told once, held until it is steady, then told as it stands; through restarts."""

import msgspec
import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.care import Deed
from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.domain.clock import HandClock
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.notices import Notice
from qmon_agent.settings import AlertOptions
from qmon_agent.settings.routing import RoutingOptions
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Point

TREE = {"receiver": "chat", "group_wait": 0, "group_interval": "10s", "repeat_interval": "30d"}
HOT = AlertOptions(name="hot", metric="temp", threshold=5, flapping_window="200s")


class Desk:
    """An alert service with or without a tree, and a value that goes up and down."""

    def __init__(self, path, tree):
        self.plan = make_plan(msgspec.convert(tree, RoutingOptions), ["chat"]) if tree else None
        self.clock = HandClock()
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.restart()
        self.service.declare([HOT])

    def restart(self):
        self.service = AlertService(self.store, channels=("chat",), clock=self.clock)
        self.service.tell(("chat",), self.plan)

    def point(self, value):
        now = self.clock.now()
        points = [Point(metric="temp", value=value, time=now)]
        self.service.observe(Observed(service="shop", time=now, points=points, position=str(now)))

    def wait(self, seconds):
        for _ in range(seconds // 10):
            self.clock.turn(10)
            self.service.tick()

    def shake(self, times, *, ends_with=1.0):
        """So often up and down, with a look of its own for each."""
        for n in range(times):
            self.point(6.0 if n % 2 == 0 else 1.0)
            self.wait(10)
        self.point(ends_with)
        self.wait(10)

    @property
    def standing(self):
        [standing] = self.service.standings()
        return standing

    def told(self):
        with self.store.reading() as connection:
            rows = connection.exec_driver_sql("SELECT notice FROM outbox ORDER BY id").all()
        notices = [msgspec.json.decode(row[0], type=Notice) for row in rows]
        return [(each.status, "flaps" in each.text, "again" in each.text) for each in notices]

    def reasons(self):
        newest = self.store.incidents.find(limit=1)[0]
        return [each.reason for each in self.store.incidents.transitions_of(newest.id)]


@pytest.fixture(params=["plain", "tree"])
def desk(request, tmp_path):
    desk = Desk(tmp_path / "state.db", TREE if request.param == "tree" else None)
    yield desk
    desk.store.close()


FLAPS, STEADY, OVER = ("firing", True, False), ("firing", False, True), ("resolved", False, False)


class TestFlapping:
    def test_is_told_once_and_then_held(self, desk):
        desk.shake(30)
        told = desk.told()

        assert desk.standing.is_flapping
        assert FLAPS == told[-1]
        assert 1 == told.count(FLAPS)
        assert desk.told()[:-1] == [("firing", False, False), OVER] * (len(told) // 2)

    @pytest.mark.parametrize("pause_s", [1, 30, 60])
    def test_begins_with_the_seventh_change_however_fast_they_come(self, desk, pause_s):
        desk.service.declare([msgspec.structs.replace(HOT, flapping_window="20m")])
        for n in range(60):
            desk.point(1.0 if n % 2 else 6.0)
            desk.clock.turn(pause_s)
            desk.service.tick()

        reasons = desk.reasons()
        assert ["breach", "flapping", "flapping:clear"] == reasons[:3]
        assert 4 == len(desk.store.incidents.find())

    def test_has_a_row_with_a_reason_for_all_that_is_held(self, desk):
        desk.shake(12)
        reasons = desk.reasons()

        assert ["breach", "flapping", "flapping:clear", "flapping:breach_returned"] == reasons[:4]

    def test_is_over_when_it_is_steady_and_then_it_is_told_that_it_is_over(self, desk):
        desk.shake(30)
        desk.wait(250)

        assert OVER == desk.told()[-1]
        assert ["steady", "cleared"] == desk.reasons()[-2:]
        assert ("inactive", False) == (desk.standing.state, desk.standing.is_flapping)

    def test_is_told_as_it_stands_when_it_fires_steadily(self, desk):
        desk.shake(30, ends_with=6.0)
        desk.wait(250)

        assert [FLAPS, STEADY] == desk.told()[-2:]
        assert ("firing", "steady") == (desk.standing.state, desk.reasons()[-1])

    def test_goes_on_after_a_restart(self, desk):
        desk.shake(14)
        before = desk.told()
        desk.restart()
        desk.shake(14, ends_with=6.0)
        desk.restart()
        desk.wait(250)

        assert [*before, STEADY] == desk.told()

    def test_is_one_incident_that_stays_acknowledged(self, desk):
        desk.shake(14)
        incident = desk.standing.incident
        desk.service.care.do(incident, Deed(kind="ack", by="ann"))
        desk.shake(14, ends_with=6.0)
        desk.wait(250)

        assert "acknowledged" == desk.told()[-1][0]
        assert incident == desk.standing.incident

    def test_is_not_what_changes_now_and_then(self, desk):
        for _ in range(8):
            desk.point(6.0)
            desk.wait(60)
            desk.point(1.0)
            desk.wait(60)

        assert not any(flaps for _, flaps, _ in desk.told())

    def test_is_off_where_it_shall_be(self, desk):
        desk.service.declare([msgspec.structs.replace(HOT, flapping_window=0)])
        desk.shake(30)

        assert {("firing", False, False), OVER} == set(desk.told())

    def test_that_ends_by_hand_is_over(self, desk):
        desk.shake(14)
        desk.service.resolve(desk.standing.incident)
        desk.wait(10)

        assert (OVER[0], False) == (desk.told()[-1][0], desk.standing.is_flapping)

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"flapping_window": "soon"}, "flapping_window"),
            ({"flapping_high": 20.0}, "flapping_high"),
            ({"flapping_low": 0.0}, "flapping_high"),
        ],
    )
    def test_names_what_is_wrong_with_its_options(self, desk, wrong, field):
        with pytest.raises(ConfigError, match=rf"alerts\.hot\.{field}"):
            desk.service.declare([msgspec.structs.replace(HOT, **wrong)])
