"""The status page over incidents that the rules wrote: states, uptime, stories, planned work."""

import json

import msgspec
import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.care import Deed
from qmon_agent.alerting.maintenance import make_windows
from qmon_agent.alerting.page_plan import make_page
from qmon_agent.app.page_document import page_document
from qmon_agent.app.page_history import Past, shown_since
from qmon_agent.app.page_internals import internals
from qmon_agent.cli._page_lines import bar, page_lines
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.settings import AlertOptions
from qmon_agent.settings.maintenance import MaintenanceOptions
from qmon_agent.settings.status_page import StatusPageOptions
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.chronicle import chronicle
from qmon_sdk.protocol.signals import Point

BEGAN = 1_780_012_800 * SECOND  # 2026-05-29 00:00 UTC
HOUR = 3_600
ALERTS = [
    AlertOptions(name="hot", metric="temp", threshold=5, severity="critical"),
    AlertOptions(name="full", metric="disk", threshold=90),
    AlertOptions(
        name="lost", metric="pulse", threshold=5, severity="critical", on_unknown="fire",
        unknown_for="1m", options={"stale_after": "1m"},
    ),
]  # fmt: skip
COMPONENTS = [
    {"name": "Shop", "alerts": ["hot", "lost"]},
    {"name": "Files", "match": ['service="store"']},
]
WORK = {"name": "secret-host work", "matchers": ['service="store"']}


class Desk:
    """An alert service at work, and the page over what it has written."""

    def __init__(self, path):
        self.clock = HandClock(BEGAN)
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.service = AlertService(self.store, channels=(), clock=self.clock)
        self.service.declare(ALERTS)
        self.section, self.work = {"components": COMPONENTS}, []

    def point(self, metric, value, *, service="web"):
        now = self.clock.now()
        points = [Point(metric=metric, value=value, time=now)]
        self.service.observe(Observed(service=service, time=now, points=points))

    def do(self, alert, kind, text=""):
        deed = Deed(kind=kind, by="secret ann", text=text)
        return self.service.care.do(self.incident(alert), deed)

    def incident(self, alert):
        return next(e.incident for e in self.service.standings() if e.alert == alert)

    def past(self):
        self.service.checkpoint()
        options = msgspec.convert(self.section, StatusPageOptions)
        page = make_page(options, alerts=[each.name for each in ALERTS], windows=())
        windows = make_windows(msgspec.convert(self.work, list[MaintenanceOptions]))
        now = self.clock.now()
        return Past(page, chronicle(self.store, shown_since(page, now)), windows, now=now)

    def told(self):
        past = self.past()
        return page_document(past, past.courses())

    def states(self):
        return {each["name"]: each["status"] for each in self.told()["components"]}

    def uptime(self, name):
        return next(e for e in self.told()["uptime"]["components"] if e["name"] == name)


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "state.db")
    yield desk
    desk.store.close()


class TestComponents:
    def test_are_as_bad_as_what_fires(self, desk):
        desk.point("temp", 6.0)
        desk.point("disk", 91.0, service="store")

        assert {"Shop": "major_outage", "Files": "degraded_performance"} == desk.states()
        assert {"indicator": "critical", "description": "Major System Outage"} == desk.told()[
            "status"
        ]

    def test_are_operational_when_nothing_does(self, desk):
        desk.point("temp", 6.0)
        desk.clock.turn(5)
        desk.point("temp", 1.0)

        assert {"operational"} == {*desk.states().values()}
        assert "none" == desk.told()["status"]["indicator"]

    def test_stay_as_they_were_while_nobody_knows(self, desk):
        desk.point("pulse", 1.0)
        for _ in range(300):
            desk.clock.turn(1)
            desk.service.tick()
        standing = next(e for e in desk.service.standings() if e.alert == "lost")

        assert ("firing", "operational") == (standing.state, desk.states()["Shop"])
        shown = internals(
            desk.past().courses(), desk.service.standings(), problems={}, is_cut=False
        )
        assert ["lost"] == [each["alert"] for each in shown["components"][0]["unknown"]]

    def test_say_what_is_unknown_of_a_service_by_its_name(self, desk):
        desk.service.declare([msgspec.structs.replace(ALERTS[2], system="web")])
        desk.section = {"components": [{"name": "Site", "match": ['service="web"']}]}
        desk.point("pulse", 1.0)
        for _ in range(90):
            desk.clock.turn(1)
            desk.service.tick()
        told = internals(desk.past().courses(), desk.service.standings(), problems={}, is_cut=False)

        assert ["lost"] == [each["alert"] for each in told["components"][0]["unknown"]]

    def test_mean_what_the_page_says_of_a_severity(self, desk):
        desk.section["states"] = {"critical": "partial_outage"}
        desk.point("temp", 6.0)

        assert "partial_outage" == desk.states()["Shop"]


class TestUptime:
    def test_is_of_the_time_since_the_alerts_are_there(self, desk):
        desk.clock.turn(HOUR)
        desk.point("temp", 6.0)
        desk.clock.turn(HOUR)
        desk.point("temp", 1.0)
        desk.clock.turn(2 * HOUR)
        found = desk.uptime("Shop")

        assert ("2026-05-29T00:00:00Z", 0.75) == (found["since"], pytest.approx(found["uptime"]))
        assert ["2026-05-29"] == [day["date"] for day in found["days"]]

    def test_is_by_the_days_of_the_place(self, desk):
        desk.section["zone"] = "Asia/Tokyo"
        desk.point("temp", 6.0)
        desk.clock.turn(15 * HOUR)
        desk.point("temp", 1.0)
        desk.clock.turn(HOUR)

        assert [("2026-05-29", 0.0), ("2026-05-30", pytest.approx(1.0))] == [
            (day["date"], day["uptime"]) for day in desk.uptime("Shop")["days"]
        ]

    def test_counts_two_incidents_at_once_as_one(self, desk):
        for service in ("web", "till"):
            desk.point("temp", 6.0, service=service)
        desk.clock.turn(HOUR)
        for service in ("web", "till"):
            desk.point("temp", 1.0, service=service)
        desk.clock.turn(HOUR)

        assert 0.5 == pytest.approx(desk.uptime("Shop")["uptime"])

    def test_goes_back_ninety_days_and_no_further(self, desk):
        desk.point("temp", 6.0)
        desk.clock.turn(100 * 24 * HOUR)
        found = desk.uptime("Shop")

        assert (90, 0.0) == (len(found["days"]), found["uptime"])


class TestMaintenance:
    def test_is_no_downtime(self, desk):
        desk.section["states"] = {"warning": "major_outage"}
        desk.work = [{**WORK, "starts": "2026-05-29 01:00", "ends": "2026-05-29 02:00"}]
        desk.point("disk", 91.0, service="store")
        desk.clock.turn(HOUR + 60)
        assert "under_maintenance" == desk.states()["Files"]

        desk.clock.turn(HOUR - 60)
        assert "major_outage" == desk.states()["Files"]
        assert 0.5 == pytest.approx(desk.uptime("Files")["uptime"])

    def test_of_something_is_told_before_with_the_run_that_goes_on(self, desk):
        desk.work = [{**WORK, "schedule": "0 2 * * *", "lasts": "1h"}]
        [planned] = desk.told()["scheduled_maintenances"]
        assert ("scheduled", "2026-05-29T02:00:00Z") == (
            planned["status"], planned["scheduled_for"]
        )  # fmt: skip

        desk.clock.turn(2 * HOUR + 60)
        told = desk.told()
        assert [("in_progress", "2026-05-29T03:00:00Z"), ("scheduled", "2026-05-30T03:00:00Z")] == [
            (each["status"], each["scheduled_until"]) for each in told["scheduled_maintenances"]
        ]
        assert ("maintenance", "under_maintenance") == (
            told["status"]["indicator"], told["components"][1]["status"]
        )  # fmt: skip

    def test_that_begins_with_a_failure_counts_from_it(self, desk):
        desk.section["states"] = {"warning": "major_outage"}
        desk.work = [{**WORK, "schedule": "0 0 * * *", "within": "2h", "lasts": "1h"}]
        desk.clock.turn(HOUR)
        desk.point("disk", 91.0, service="store")
        desk.clock.turn(2 * HOUR)

        assert 2 / 3 == pytest.approx(desk.uptime("Files")["uptime"])
        assert [] == desk.told()["scheduled_maintenances"]


class TestIncidents:
    def test_tell_strangers_a_story_without_names(self, desk):
        desk.point("temp", 6.0, service="secret-host")
        desk.clock.turn(10)
        desk.do("hot", "comment", "secret cause")
        desk.do("hot", "comment_public", "Payments fail.")
        desk.do("hot", "ack", "secret plan")
        desk.clock.turn(10)
        desk.do("hot", "comment_public", "We roll back.")
        desk.point("temp", 1.0, service="secret-host")
        [told] = desk.told()["incidents"]

        assert ("Shop", "critical", "resolved") == (told["name"], told["impact"], told["status"])
        assert [
            ("resolved", "It is over."),
            ("identified", "We roll back."),
            ("identified", "We are working on it."),
            ("investigating", "Payments fail."),
            ("investigating", "Shop: major outage."),
        ] == [(each["status"], each["body"]) for each in told["incident_updates"]]
        assert "secret" not in json.dumps(desk.told())

    def test_that_are_merged_are_one(self, desk):
        desk.point("temp", 6.0)
        desk.point("disk", 91.0, service="store")
        desk.service.care.merge(desk.incident("hot"), [desk.incident("full")])
        desk.do("full", "comment_public", "One cause.")
        [told] = desk.told()["incidents"]

        assert "Shop, Files" == told["name"]
        assert "One cause." == told["incident_updates"][0]["body"]

    def test_that_come_back_soon_are_one(self, desk):
        for value in (6.0, 1.0, 6.0, 1.0, 6.0):
            desk.point("temp", value)
            desk.clock.turn(60)
        [told] = desk.told()["incidents"]
        desk.point("temp", 1.0)
        [over] = desk.told()["incidents"]

        assert ("investigating", 3) == (told["status"], told["times"])
        assert "It has come back 2 times." == told["incident_updates"][0]["body"]
        assert (told["id"], "resolved", 3) == (over["id"], over["status"], over["times"])

    def test_that_come_back_are_nobodys_again(self, desk):
        desk.point("temp", 6.0)
        desk.do("hot", "ack")
        for value in (1.0, 6.0):
            desk.clock.turn(60)
            desk.point("temp", value)
        [told] = desk.told()["incidents"]

        assert ("investigating", 2) == (told["status"], told["times"])
        assert "It has come back." == told["incident_updates"][0]["body"]

    def test_that_flap_are_one_with_how_often(self, desk):
        for n in range(31):
            desk.point("temp", 1.0 if n % 2 else 6.0)
            desk.clock.turn(60)
        [told] = desk.told()["incidents"]

        assert 16 == told["times"]

    def test_of_two_things_are_two(self, desk):
        desk.point("temp", 6.0)
        desk.point("temp", 6.0, service="till")
        desk.clock.turn(60)
        desk.point("temp", 1.0)

        assert [1, 1] == [each["times"] for each in desk.told()["incidents"]]

    def test_are_forgotten_after_two_weeks(self, desk):
        desk.point("temp", 6.0)
        desk.clock.turn(60)
        desk.point("temp", 1.0)
        desk.clock.turn(13 * 24 * HOUR)
        desk.point("temp", 6.0)
        assert 2 == len(desk.told()["incidents"])

        desk.clock.turn(2 * 24 * HOUR)
        assert ["investigating"] == [each["status"] for each in desk.told()["incidents"]]


class TestLines:
    def test_are_a_bar_of_ninety_days_for_each_component(self, desk):
        desk.point("temp", 6.0)
        desk.clock.turn(24 * HOUR)
        desk.point("temp", 1.0)
        desk.clock.turn(24 * HOUR)
        lines = [*page_lines(desk.told())]

        assert "Status: All Systems Operational" == lines[0]
        assert "Shop   operational, 50.000 % up since 2026-05-29" in lines
        assert f"  {'·' * 87}▁▁█" in lines or f"  {'·' * 87}▁██" in lines

    def test_have_a_dot_for_what_is_not_known(self):
        assert "··█▆" == bar([{"status": "operational"}, {"status": "degraded_performance"}], 4)
