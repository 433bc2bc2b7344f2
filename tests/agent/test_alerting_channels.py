"""Who hears of an incident: those told that it fires hear that it is over; newcomers hear too."""

import pytest
from msgspec.structs import replace

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.domain.clock import HandClock
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Point

HOT = AlertOptions(name="hot", metric="temp", threshold=5, channels=("pager",))
ANY = replace(HOT, channels=())


class Desk:
    """An alert service, and who was told what."""

    def __init__(self, path):
        self.clock = HandClock()
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.restart("console")

    def restart(self, *channels):
        self.service = AlertService(self.store, channels=channels, clock=self.clock)

    def point(self, value):
        self.clock.turn(1)
        points = [Point(metric="temp", value=value, time=self.clock.now())]
        self.service.observe(Observed(service="shop", time=self.clock.now(), points=points))

    def told(self):
        return {tuple(row[1].split(".")[1:]) for row in self.store.view("notifications")[1]}


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "state.db")
    yield desk
    desk.store.close()


class TestResolved:
    @pytest.mark.parametrize("restarts", [False, True])
    def test_goes_to_those_who_were_told_firing(self, desk, restarts):
        desk.service.declare([HOT])
        desk.point(6.0)
        if restarts:
            desk.service.checkpoint()
            desk.restart("console")
        desk.service.declare([replace(HOT, channels=("mail",))])

        desk.point(1.0)

        assert ("resolved", "pager") in desk.told()

    def test_of_the_next_incident_goes_to_those_named_by_then(self, desk):
        desk.service.declare([HOT])
        desk.point(6.0)
        desk.point(1.0)
        desk.service.declare([replace(HOT, channels=("mail",))])
        before = desk.told()

        desk.point(6.0)
        desk.point(1.0)

        assert {("firing", "mail"), ("resolved", "mail")} == desk.told() - before


class TestNewcomer:
    def test_hears_that_it_fires_and_nobody_hears_it_twice(self, desk):
        desk.service.declare([HOT])
        desk.point(6.0)
        desk.service.declare([replace(HOT, channels=("pager", "mail"))])
        desk.service.reload()

        assert {("firing", "pager"), ("firing", "mail")} == desk.told()
        assert 2 == len(desk.store.view("notifications")[1])

    def test_hears_it_after_a_restart_too(self, desk):
        desk.service.declare([HOT])
        desk.point(6.0)
        desk.service.checkpoint()
        desk.restart("console")

        desk.service.declare([replace(HOT, channels=("mail",))])

        assert ("firing", "mail") in desk.told()

    def test_among_the_usual_channels_hears_it_and_its_end(self, desk):
        desk.service.declare([ANY])
        desk.point(6.0)
        desk.service.tell(("console", "mail"))
        desk.point(1.0)

        both = {(what, who) for what in ("firing", "resolved") for who in ("console", "mail")}
        assert both == desk.told()

    def test_hears_nothing_of_what_is_over(self, desk):
        desk.service.declare([HOT])
        desk.point(6.0)
        desk.point(1.0)

        desk.service.declare([replace(HOT, channels=("mail",))])

        assert {("firing", "pager"), ("resolved", "pager")} == desk.told()


class TestUnmatched:
    def test_are_alerts_on_what_nobody_ever_sent(self, desk):
        desk.service.declare([HOT, replace(HOT, name="misspelt", system="shpo")])
        before = desk.service.unmatched

        desk.point(1.0)
        desk.service.checkpoint()
        desk.restart()

        assert ["hot", "misspelt"] == sorted(before)
        assert ["misspelt"] == desk.service.unmatched
