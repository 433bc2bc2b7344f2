"""Errors that were resolved and come again; an old release that runs on is no such thing."""

import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.care import Deed
from qmon_agent.alerting.rules import RULES
from qmon_agent.domain.clock import HandClock
from qmon_agent.domain.errors import ConfigError
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Error, Point
from tests.agent.test_alerting_kinds import Judge

DAY = 86_400
NEW = AlertOptions(name="new", rule="new_error", options={"lasts": "1d"})
AGAIN = AlertOptions(name="again", rule="regression", options={"quiet_for": "7d"})
MANY = AlertOptions(
    name="many", rule="users_affected", threshold=">= 1", options={"per": ["grouping"]}
)
HOT = AlertOptions(name="hot", metric="temp", threshold=5)


def broken(**said):
    return [Error(**{"type": "KeyError", "message": "no cart", "grouping": "g"} | said)]


class TestSilence:
    def judge(self, *releases, after=20 * DAY, **options):
        judge = Judge("regression", **options)
        for release in releases[:-1]:
            judge.see(60, errors=broken(), release=release)
        return judge.see(after, errors=broken(), release=releases[-1])

    def test_is_a_regression_when_it_ends_and_no_release_is_known(self):
        judge = self.judge("", "", after=20 * DAY)

        assert "firing" == judge.state
        assert "again, after a silence of 20d: KeyError: no cart" == judge.cell.text

    @pytest.mark.parametrize(("after", "state"), [(14 * DAY, "firing"), (14 * DAY - 1, "inactive")])
    def test_has_to_be_long_enough(self, after, state):
        assert state == self.judge("", "", after=after).state

    def test_is_never_long_enough_where_it_does_not_count(self):
        assert "inactive" == self.judge("", "", after=999 * DAY, quiet_for=0).state

    @pytest.mark.parametrize(
        ("releases", "state"),
        [
            (["1.9", "1.10"], "firing"),
            (["1.9", "1.9"], "inactive"),
            (["1.9", "1.10", "1.9"], "inactive"),
            (["1.9", "1.8"], "inactive"),
            (["1.9", ""], "inactive"),
            (["", "1.9"], "firing"),
            (["3f2c1ab", "9d0e4f7"], "firing"),
            (["3f2c1ab", "9d0e4f7", "3f2c1ab"], "inactive"),
        ],
    )
    def test_is_ended_by_a_later_release_only(self, releases, state):
        assert state == self.judge(*releases).state

    def test_may_be_ended_by_the_same_release_where_that_counts(self):
        assert "firing" == self.judge("1.9", "1.9", same_release=True).state

    def test_that_an_old_release_ends_is_none(self):
        judge = self.judge("1.9", "1.9")

        assert "inactive" == judge.see(60, errors=broken(), release="2.0").state

    def test_is_measured_by_when_it_happened(self):
        judge = Judge("regression").see(errors=broken(time=1_000_000))

        judge.see(20 * DAY, errors=broken(time=judge.now - DAY * 10**9))
        judge.see(20 * DAY, errors=broken(time=judge.now - 1))

        assert "inactive" == judge.state


class TestIncident:
    def test_lasts_while_it_comes(self):
        judge = Judge("regression", lasts="1h").see(errors=broken()).see(20 * DAY, errors=broken())

        states = [judge.see(3_000, errors=broken()).state, judge.wait(3_500).state]

        assert ["firing", "firing", "inactive"] == [*states, judge.wait(100).state]

    def test_is_not_again_for_another_that_follows_soon(self):
        judge = Judge("regression", lasts="1h").see(errors=broken()).see(20 * DAY, errors=broken())

        judge.wait(2 * 3_600).see(errors=broken())

        assert "inactive" == judge.state

    def test_needs_some_time(self):
        with pytest.raises(ConfigError, match="lasts"):
            RULES.build("regression", {"lasts": 0})

    def test_is_not_of_an_error_that_is_new_or_of_no_interest(self):
        judge = Judge("regression").see(errors=broken())

        assert "inactive" == judge.state
        assert "inactive" == judge.see(20 * DAY, errors=broken(level="warning")).state


class Desk:
    """A service with alerts about errors, and people who resolve them."""

    def __init__(self, path):
        self.clock = HandClock()
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.restart()
        self.service.declare([NEW, AGAIN, HOT])

    def restart(self):
        self.service = AlertService(self.store, channels=("chat",), clock=self.clock)

    def error(self, release="", **said):
        self.clock.turn(60)
        self.observe(errors=broken(**{"time": self.clock.now()} | said), release=release)

    def observe(self, **signals):
        now = self.clock.now()
        self.service.observe(Observed(service="shop", time=now, position=str(now), **signals))

    def fires(self, alert):
        found = [each for each in self.service.standings() if each.alert == alert]
        return [each.incident for each in found if each.state == "firing"]

    def resolve(self, alert):
        (incident,) = self.fires(alert)
        self.service.care.do(incident, Deed(kind="resolve", by="ann"))


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "state.db")
    yield desk
    desk.store.close()


class TestResolvedByHand:
    def test_is_a_regression_when_it_comes_again_even_after_a_restart(self, desk):
        desk.error()
        desk.resolve("new")
        desk.restart()
        desk.error()

        assert 1 == len(desk.fires("again"))

    def test_is_none_while_nobody_has_resolved_it(self, desk):
        desk.error()
        desk.error()

        assert [] == desk.fires("again")

    def test_is_none_while_the_release_that_had_it_runs_on(self, desk):
        desk.error("1.0")
        desk.resolve("new")
        desk.error("1.0")
        before = desk.fires("again")
        desk.error("1.1")

        assert [0, 1] == [len(before), len(desk.fires("again"))]

    def test_is_none_for_what_happened_before_and_came_late(self, desk):
        happened = desk.clock.now()
        desk.error()
        desk.resolve("new")
        desk.error(time=happened)

        assert [] == desk.fires("again")

    def test_may_be_the_regression_itself(self, desk):
        desk.error("1.0")
        desk.resolve("new")
        for release in ("1.1", "1.2"):
            desk.error(release)
            desk.resolve("again")
            desk.error(release)

        assert [] == desk.fires("again")
        desk.error("1.3")
        assert 1 == len(desk.fires("again"))

    def test_is_about_errors_only(self, desk):
        desk.observe(points=[Point(metric="temp", value=9.0)])
        desk.resolve("hot")

        assert [] == [each for each in desk.service.standings() if each.alert == "again"]


class TestNewError:
    def test_is_not_told_again_after_somebody_resolved_it(self, desk):
        desk.error()
        desk.resolve("new")
        desk.error()

        assert [] == desk.fires("new")
        assert 1 == len(desk.fires("again"))

    def test_is_not_told_again_after_a_restart_either(self, desk):
        desk.error()
        desk.resolve("new")
        desk.restart()
        desk.clock.turn(3 * DAY)
        desk.error()

        assert [] == desk.fires("new")

    def test_is_over_when_another_incident_about_its_group_is_resolved(self, desk):
        desk.service.declare([NEW, MANY])
        desk.error(user_id="ann")
        before = desk.fires("new")
        desk.resolve("many")
        desk.error(user_id="ann")

        assert [1, 0] == [len(before), len(desk.fires("new"))]

    def test_is_told_of_another_group(self, desk):
        desk.error()
        desk.resolve("new")
        desk.error(grouping="other")

        assert 1 == len(desk.fires("new"))
