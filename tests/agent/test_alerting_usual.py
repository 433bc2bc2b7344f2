"""The alerts that are there from the first start: they work, are quiet, and go when told to."""

import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.declaring import check_alerts_of
from qmon_agent.alerting.usual import USUAL, check_usual, usual_of
from qmon_agent.domain.catalog import Alert
from qmon_agent.domain.clock import HandClock
from qmon_agent.settings import AlertOptions, read_settings
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Error, Point

OF_ERRORS = "error of a new kind"


def settings(text=""):
    return read_settings(text.encode(), {})


@pytest.fixture
def store(tmp_path):
    store = StateStore.open(f"sqlite:///{tmp_path / 'state.db'}", HandClock())
    yield store
    store.close()


def told(store, text=""):
    """What an error leads to: who is told of which incidents."""
    said = settings(text)
    service = AlertService(store, channels=tuple(said.channels), clock=HandClock())
    service.declare(said.alerts, usual_of(said))
    errors = [Error(type="Boom", grouping="a")]
    service.observe(Observed(service="shop", time=HandClock().now(), errors=errors))
    fired = [each.alert for each in service.standings() if each.is_firing]
    return fired, [row[1] for row in store.view("notifications")[1]]


class TestUsualAlerts:
    def test_work(self):
        check_alerts_of(USUAL)

    def test_are_never_worse_than_a_ticket(self):
        assert {each.severity for each in USUAL} <= {"", "info", "warning"}
        assert not [each for each in USUAL if "critical" in each.options]

    def test_say_what_to_do(self):
        assert all(each.description for each in USUAL)

    def test_are_on_the_page_about_them(self, pytestconfig):
        page = (pytestconfig.rootpath / "docs/howto/default-alerts.md").read_text(encoding="utf-8")

        assert [each.name for each in USUAL] == [
            line.split("`")[1] for line in page.splitlines() if line.startswith("| `")
        ]

    def test_are_listed_and_told_to_nobody(self, store):
        assert ([OF_ERRORS], []) == told(store, "[channels.console]")

    def test_are_told_to_whom_is_named(self, store):
        fired, keys = told(store, '[channels.console]\n[defaults]\nchannels = ["console"]')

        assert ([OF_ERRORS], 1) == (fired, len(keys))

    @pytest.mark.parametrize("text", ["alerts = false", f'off = ["{OF_ERRORS}"]'])
    def test_are_silent_when_switched_off(self, store, text):
        assert ([], []) == told(store, f"[defaults]\n{text}")

    def test_step_back_for_what_is_declared(self, store):
        mine = '[[alerts]]\nname = "mine"\nrule = "new_error"'

        assert (["mine"], []) == told(store, mine)

    def test_leave_alone_what_somebody_else_has_called_by_their_name(self, store):
        theirs = Alert(
            name=OF_ERRORS, threshold="> 9", options={"metric": "temp"}, created_by="ann"
        )
        store.catalog.put_alert(theirs)

        assert ([], []) == told(store)

    def test_go_when_a_later_file_switches_them_off(self, store):
        told(store)
        service = AlertService(store, clock=HandClock())

        service.declare([], ())

        assert {"inactive"} == {each.status for each in store.catalog.alerts()}

    def test_are_no_complaint_where_nothing_of_theirs_is_seen(self, store):
        service = AlertService(store, clock=HandClock())

        service.declare([AlertOptions(name="mine", metric="temp", threshold=1)], USUAL)

        assert ["mine"] == service.unmatched

    @pytest.mark.parametrize("text", ['off = ["disk nearly ful"]', 'channels = ["nowhere"]'])
    def test_there_are_none_of_are_named(self, text):
        [problem] = check_usual(settings(f"[defaults]\n{text}"))

        assert problem.path.startswith("defaults.")


class TestDiskBudget:
    @pytest.mark.parametrize(
        ("figure", "values", "fired"),
        [
            ("disk_budget_share", [0.91], ["store near its budget"]),
            ("disk_budget_share", [0.89], []),
            ("disk_full_in_days", [2.9], ["store outgrows its budget"]),
            ("disk_full_in_days", [3.0], []),
            ("disk_full_in_days", [0.0, 12.0], []),
            ("disk_used_bytes", [1e12], []),
        ],
    )
    def test_is_warned_of_when_it_is_nearly_used_or_will_be_soon(
        self, store, figure, values, fired
    ):
        clock = HandClock()
        service = AlertService(store, clock=clock)
        service.declare([], usual_of(settings()))
        for minute in range(70):
            value = values[minute % len(values)]
            now = clock.now()
            point = Point(time=now, metric=f"qmon.agent.{figure}", kind="gauge", value=value)
            service.observe(Observed(service="qmon-agent", time=now, points=[point]))
            clock.turn(60)

        assert fired == [each.alert for each in service.standings() if each.is_firing]
