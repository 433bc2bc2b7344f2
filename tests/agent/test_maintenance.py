"""During maintenance nobody is told, and after it of what is left, with and without a tree."""

import msgspec
import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.maintenance import make_windows
from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.errors import ConfigError
from qmon_agent.settings import AlertOptions
from qmon_agent.settings.maintenance import MaintenanceOptions
from qmon_agent.settings.routing import RoutingOptions
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Point

TREE = {"receiver": "chat", "group_wait": 0, "group_interval": "1m"}
MINUTES = [
    {"name": "minutes", "matchers": ["service=shop"], "schedule": "*/10 * * * *", "lasts": "2m"}
]
FAILING = [{**MINUTES[0], "lasts": "3m", "within": "5m"}]
TEN_O_CLOCK = 1_700_042_400 * SECOND


class Desk:
    """An alert service with windows, which begins at ten o'clock."""

    def __init__(self, path, tree):
        self.plan = make_plan(msgspec.convert(tree, RoutingOptions), ["chat"]) if tree else None
        self.clock = HandClock(TEN_O_CLOCK)
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.tables = ()

    def start(self, tables=None):
        self.tables = tables or self.tables
        self.service = AlertService(self.store, channels=("chat",), clock=self.clock)
        windows = make_windows(msgspec.convert(self.tables, list[MaintenanceOptions]))
        self.service.tell(("chat",), self.plan, windows=windows)
        self.service.declare([AlertOptions(name="hot", metric="temp", threshold=5)])

    def point(self, value, service="shop"):
        now = self.clock.now()
        points = [Point(metric="temp", value=value, time=now)]
        self.service.observe(Observed(service=service, time=now, points=points, position=str(now)))

    def pass_by(self, seconds):
        for _ in range(seconds):
            self.clock.turn(1)
            self.service.tick()

    def told(self):
        with self.store.reading() as connection:
            rows = connection.exec_driver_sql("SELECT notice FROM outbox ORDER BY id").all()
        return [msgspec.json.decode(row[0])["status"] for row in rows]


@pytest.fixture(params=["plain", "tree"])
def desk(request, tmp_path):
    desk = Desk(tmp_path / "state.db", TREE if request.param == "tree" else None)
    yield desk
    desk.store.close()


class TestMaintenance:
    def test_keeps_back_until_it_is_over(self, desk):
        desk.start(MINUTES)
        desk.point(6.0)
        desk.pass_by(119)
        assert [] == desk.told()

        desk.pass_by(62)
        assert ["firing"] == desk.told()

    def test_is_about_what_it_names(self, desk):
        desk.start(MINUTES)
        desk.point(6.0, service="web")

        assert ["firing"] == desk.told()

    def test_leaves_ends_to_those_who_heard_of_the_beginning(self, desk):
        desk.clock.turn(-60)
        desk.start(MINUTES)
        desk.point(6.0)
        desk.pass_by(70)
        desk.point(1.0)
        desk.pass_by(61)

        assert ["firing", "resolved"] == desk.told()

    def test_of_what_is_over_by_then_is_not_told(self, desk):
        desk.start(MINUTES)
        desk.point(6.0)
        desk.pass_by(60)
        desk.point(1.0)
        desk.pass_by(200)

        assert [] == desk.told()

    def test_begins_with_the_first_failure_where_it_shall(self, desk):
        desk.start(FAILING)
        desk.pass_by(60)
        desk.point(6.0)
        desk.pass_by(100)
        desk.start()
        desk.pass_by(79)
        assert [] == desk.told()

        desk.pass_by(62)
        assert ["firing"] == desk.told()

    def test_is_used_once_in_each_opening(self, desk):
        desk.start(FAILING)
        desk.point(6.0)
        desk.pass_by(60)
        desk.point(1.0)
        desk.pass_by(150)
        desk.point(6.0)

        assert ["firing"] == desk.told()


class TestTheTables:
    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"schedule": ""}, "maintenance.minutes.schedule"),
            ({"schedule": "at noon"}, "maintenance.minutes.schedule"),
            ({"lasts": ""}, "maintenance.minutes.lasts"),
            ({"lasts": "long"}, "maintenance.minutes.lasts"),
            ({"zone": "Mars"}, "maintenance.minutes.zone"),
            ({"matchers": []}, "maintenance.minutes.matchers"),
            ({"matchers": ["a"]}, "maintenance.minutes.matchers"),
            ({"starts": "tomorrow"}, "maintenance.minutes.starts"),
            ({"starts": "2026-01-02", "ends": "2026-01-01"}, "maintenance.minutes.ends"),
            ({"schedule": "", "starts": "2026-01-01", "ends": "2026-01-02", "within": "1h"},
             "maintenance.minutes.within"),
        ],
    )  # fmt: skip
    def test_say_where_they_are_wrong(self, change, path):
        with pytest.raises(ConfigError) as caught:
            make_windows(msgspec.convert([{**MINUTES[0], **change}], list[MaintenanceOptions]))

        assert path == caught.value.path

    def test_have_names_of_their_own(self):
        with pytest.raises(ConfigError, match="more than one"):
            make_windows(msgspec.convert(MINUTES * 2, list[MaintenanceOptions]))

    def test_go_by_the_clocks_of_their_place(self):
        table = {"name": "w", "matchers": ["a=b"], "starts": "2026-07-01 20:00"}
        table |= {"ends": "2026-07-01T20:00Z", "zone": "Europe/Berlin"}
        (window,) = make_windows([msgspec.convert(table, MaintenanceOptions)])

        assert 2 * 3_600 * SECOND == window.ends_at - window.starts_at
