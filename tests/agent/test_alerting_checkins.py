"""Missed check-ins: from what jobs say of themselves to the outbox, through every restart."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.errors import ConfigError
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import CheckIn

JOBS = AlertOptions(name="jobs", rule="missed_checkin")
NIGHT = int(datetime(2026, 3, 28, 1, 59, 58, tzinfo=UTC).timestamp())  # 2:59:58 in Berlin
NIGHTLY = {"schedule": "0 3 * * *", "timezone": "Europe/Berlin", "margin_s": "60"}
OFTEN = {"schedule": "every 10s", "margin_s": "2"}


class Desk:
    """An alert service with a turned clock, and jobs that check in."""

    def __init__(self, path):
        self.clock = HandClock(NIGHT * SECOND)
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.found = []
        self.restart()

    def restart(self):
        self.service = AlertService(
            self.store, channels=("console",), clock=self.clock, found=self.found.append
        )

    def told(self, *statuses, run="1", ago=0, environment="production", **about):
        """A job checks in, several times at once or once."""
        now = self.clock.now()
        attributes = {"checkin.id": run, **about}
        checkins = [
            CheckIn(time=now - ago * SECOND, monitor="backup", status=status, attributes=attributes)
            for status in statuses
        ]
        self.service.observe(
            Observed(service="shop", environment=environment, time=now, checkins=checkins)
        )

    def wait(self, seconds):
        for _ in range(seconds):
            self.clock.turn(1)
            self.service.tick()

    @property
    def notices(self):
        _columns, rows = self.store.view("notifications")
        return [row[1].split(".")[1] for row in reversed(rows)]

    @property
    def text(self):
        [watch] = self.service._watches
        return [cell.text for cell in watch.cells.values()]


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "state.db")
    desk.service.declare([JOBS])
    yield desk
    desk.store.close()


class TestMissed:
    def test_is_told_when_the_margin_is_over_and_not_before(self, desk):
        desk.told("in_progress", "ok", ago=60, **NIGHTLY)  # not this night's
        desk.wait(61)
        before = desk.notices
        desk.wait(2)
        assert ([], ["firing"]) == (before, desk.notices)
        assert [
            "backup missed: the run that was due 2026-03-28 03:00:00 CET has not begun"
        ] == desk.text

    def test_is_over_when_a_run_ends_well(self, desk):
        desk.told("ok", **OFTEN)
        desk.wait(13)
        desk.told("in_progress", **OFTEN)
        before = desk.notices
        desk.told("ok", **OFTEN)
        assert (["firing"], ["firing", "resolved"]) == (before, desk.notices)

    def test_is_one_incident_however_often(self, desk):
        desk.told("ok", **OFTEN)
        desk.wait(60)
        assert ["firing"] == desk.notices

    def test_is_nothing_where_the_run_begins_within_the_margin(self, desk):
        desk.told("ok", **NIGHTLY)
        desk.wait(60)
        desk.told("in_progress", **NIGHTLY)
        desk.wait(3600)
        assert [] == desk.notices

    def test_is_nothing_where_a_clock_is_fast(self, desk):
        desk.wait(1)
        desk.told("in_progress", "ok", **NIGHTLY)  # a second early
        desk.wait(120)
        assert [] == desk.notices

    def test_is_found_of_jobs_that_another_process_ends(self, desk):
        desk.told("in_progress", **OFTEN)  # by the one who starts them, and knows when
        desk.told("ok")
        desk.wait(13)
        assert ["firing"] == desk.notices

    def test_is_nothing_where_a_job_has_given_its_schedule_up(self, desk):
        desk.told("in_progress", "ok", **OFTEN)
        desk.wait(9)
        desk.told("in_progress", "ok", run="2")
        desk.wait(100)
        assert [] == desk.notices

    def test_leaves_a_check_in_of_its_own_for_every_run(self, desk):
        desk.told("ok", **OFTEN)
        desk.wait(31)
        rows = [found.checkin for found in desk.found]
        assert [("backup", "missed", 10), ("backup", "missed", 20)] == [
            (row.monitor, row.status, row.time // SECOND - NIGHT) for row in rows
        ]
        assert ("shop", "production") == (desk.found[0].service, desk.found[0].environment)
        assert ["1", "2"] == [row.attributes["missed"] for row in rows]

    def test_leaves_the_same_again_when_it_is_judged_again(self, desk):
        desk.told("ok", **OFTEN)
        [watch] = desk.service._watches
        [cell] = watch.cells.values()
        now = desk.clock.now() + 13 * SECOND
        once, again = (watch.rule.judge(cell.memory, None, now) for _ in range(2))
        assert once.found
        assert once.found == again.found

    def test_promises_nothing_without_a_schedule(self, desk):
        desk.told("ok")
        desk.wait(100)
        assert [] == desk.notices

    def test_is_no_matter_of_an_agent_that_was_away(self, desk):
        desk.told("ok", **OFTEN)
        desk.service.checkpoint()
        desk.clock.turn(3600)
        desk.restart()
        desk.wait(3)
        desk.told("ok", ago=5, **OFTEN)  # from the spool
        desk.wait(4)
        assert [] == desk.notices

    def test_is_found_after_a_restart_when_nothing_comes(self, desk):
        desk.told("ok", **OFTEN)
        desk.service.checkpoint()
        desk.clock.turn(3600)
        desk.restart()
        desk.wait(32)
        assert ["firing"] == desk.notices

    def test_is_not_found_in_what_comes_from_a_spool_in_one_go(self, desk):
        for ago in range(300, 0, -10):
            desk.told("in_progress", "ok", ago=ago, **OFTEN)
        desk.wait(1)
        assert [] == desk.notices

    def test_keeps_environments_apart(self, desk):
        desk.told("ok", **OFTEN)
        desk.told("ok", environment="staging", **OFTEN)
        for _ in range(3):
            desk.wait(9)
            desk.told("ok", **OFTEN)
        [incident] = desk.store.incidents.find()
        assert "staging" == incident.labels["environment"]


class TestLate:
    def test_is_a_run_that_begins_after_it_was_missed(self, desk):
        desk.told("ok", **OFTEN)
        desk.wait(13)
        desk.told("in_progress", **OFTEN)
        assert desk.text[0].startswith("backup late: the run that was due 2026-03-28 02:00:08 UTC")

    def test_is_not_a_run_that_was_only_heard_of_late(self, desk):
        desk.told("ok", **OFTEN)
        desk.wait(13)
        desk.told("in_progress", ago=3, **OFTEN)
        assert ["firing", "resolved"] == desk.notices


class TestTimeout:
    def test_is_a_run_that_goes_on_for_too_long(self, desk):
        desk.told("in_progress", max_runtime_s="90")
        desk.wait(89)
        before = desk.notices
        desk.wait(1)
        assert ([], ["firing"]) == (before, desk.notices)
        assert ["backup timeout: a run goes on for more than 1m30s"] == desk.text

    def test_is_over_when_it_ends_after_all(self, desk):
        desk.told("in_progress", max_runtime_s="5")
        desk.wait(10)
        desk.told("ok", max_runtime_s="5")
        assert ["firing", "resolved"] == desk.notices

    def test_is_found_of_each_run_by_itself(self, desk):
        desk.told("in_progress", run="1", max_runtime_s="5")
        desk.wait(3)
        desk.told("in_progress", run="2", max_runtime_s="5")
        desk.told("ok", run="2", max_runtime_s="5")
        desk.wait(3)
        assert ["firing"] == desk.notices

    def test_and_no_more_is_a_run_that_still_goes_on_when_the_next_is_due(self, desk):
        desk.told("in_progress", max_runtime_s="30", **OFTEN)
        desk.wait(29)
        assert [] == desk.notices


class TestFailed:
    def test_is_told_at_once_and_over_with_the_next_that_is_well(self, desk):
        desk.told("in_progress", "error", **{"error.type": "KeyError"})
        before = desk.notices, desk.text
        desk.told("in_progress", "ok", run="2")
        assert (["firing"], ["backup failed: KeyError"]) == before
        assert ["firing", "resolved"] == desk.notices


class TestOptions:
    def test_choose_what_counts(self, desk):
        desk.service.declare(
            [AlertOptions(name="jobs", rule="missed_checkin", options={"troubles": ["failed"]})]
        )
        desk.told("ok", **OFTEN)
        desk.wait(60)
        assert [] == desk.notices

    def test_expect_a_job_that_never_spoke(self, desk):
        options = {"monitor": "backup", "schedule": "every 10s", "margin": "1s"}
        desk.service.declare(
            [AlertOptions(name="jobs", rule="missed_checkin", system="shop", options=options)]
        )
        desk.wait(9)
        desk.told("ok")
        desk.wait(10)
        before = desk.notices
        desk.wait(2)
        assert ([], ["firing"]) == (before, desk.notices)

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"schedule": "daily"}, r"schedule.*'daily'"),
            ({"timezone": "Middle/Earth"}, "timezone"),
            ({"troubles": ["mised"]}, "'missed'"),
            ({"margin": "soon"}, "'soon'"),
        ],
    )
    def test_that_cannot_be_are_named(self, desk, options, says):
        with pytest.raises(ConfigError, match=says):
            desk.service.declare([AlertOptions(name="x", rule="missed_checkin", options=options)])


class TestSchedules:
    @pytest.mark.parametrize("about", [{"schedule": "sometimes"}, {"timezone": "Middle/Earth"}])
    def test_that_nobody_can_read_leave_it_unknown(self, desk, about):
        desk.told("ok", **{**NIGHTLY, **about})
        [standing] = desk.service.standings()
        assert ("inactive", "schedule") == (standing.state, standing.unknown)

    def test_of_the_night_in_which_clocks_are_set_are_right(self, desk):
        desk.clock.turn(86_400)  # 2026-03-29, when 2:59:58 is followed by 4:00 in summer time
        desk.told("ok", **{**NIGHTLY, "schedule": "30 2 * * *"})
        [watch] = desk.service._watches
        [cell] = watch.cells.values()
        due = datetime.fromtimestamp(cell.memory["due"] // SECOND, UTC)
        assert (2026, 3, 30, 0, 30) == (due.year, due.month, due.day, due.hour, due.minute)
