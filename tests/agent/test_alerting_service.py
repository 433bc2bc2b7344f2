"""The alert service: from what arrives to the outbox, through every restart."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.domain.catalog import Alert, Analytics, Metric
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.errors import ConfigError, MetricNotFoundError
from qmon_agent.domain.notices import Notice
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.signals import Error, Point

HOT = AlertOptions(name="hot", metric="temp", system="shop", threshold="> 5 for 2s")
AT_ONCE = AlertOptions(name="at-once", metric="temp", threshold=5)


class Desk:
    """An alert service with a turned clock, and what one wants to know of it."""

    def __init__(self, path):
        self.clock = HandClock()
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.vitals = Vitals()
        self.restart()

    def restart(self):
        self.service = AlertService(
            self.store, channels=("console",), clock=self.clock, vitals=self.vitals
        )

    def point(self, value, *, service="shop", **attributes):
        now = self.clock.now()
        points = [Point(metric="temp", value=value, time=now, attributes=attributes)]
        self.service.observe(Observed(service=service, time=now, points=points, position=str(now)))

    def error(self, grouping, service="shop"):
        now = self.clock.now()
        errors = [Error(type="Boom", message="it broke", grouping=grouping, time=now)]
        self.service.observe(Observed(service=service, time=now, errors=errors, position=str(now)))

    def tick(self, seconds):
        self.clock.turn(seconds)
        self.service.tick()

    def states(self):
        return [each.state for each in self.service.standings()]

    def notices(self):
        with self.store.reading() as connection:
            rows = connection.exec_driver_sql("SELECT notice FROM outbox ORDER BY id").all()
        return [msgspec.json.decode(row[0], type=Notice) for row in rows]

    def told(self):
        return [row[1].split(".")[1] for row in reversed(self.store.view("notifications")[1])]


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "state.db")
    yield desk
    desk.store.close()


class TestSeverity:
    def told(self, desk, label, **options):
        desk.service.declare([AlertOptions(name="theirs", rule="received", **options)])
        labels = {"alert.fingerprint": "f", "severity": label}
        points = [Point(metric="alert.firing", value=1.0, attributes=labels)]
        desk.service.observe(Observed(service="shop", time=1, points=points, position="1"))
        desk.restart()
        (standing,) = desk.service.standings()
        names, rows = desk.store.view("incidents")
        assert [standing.severity] == [
            dict(zip(names, row, strict=True))["severity"] for row in rows
        ]
        return standing.severity

    @pytest.mark.parametrize(("label", "severity"), [("page", "critical"), ("odd", "warning")])
    def test_of_an_incident_is_that_of_a_received_alert(self, desk, label, severity):
        assert severity == self.told(desk, label)

    @pytest.mark.parametrize(("label", "severity"), [("page", "info"), ("sev1", "error")])
    def test_is_as_somebody_has_said(self, desk, label, severity):
        options = {"severities": {"sev1": "error"}} if label == "sev1" else {}

        assert severity == self.told(desk, label, severity="info", options=options)


class TestLives:
    def test_tell_again_when_it_gets_worse_and_once_only(self, desk):
        worse = AlertOptions(name="hot", metric="temp", threshold=5, options={"critical": 9})
        desk.service.declare([worse])

        for value in (6.0, 9.0, 6.0, 9.0, 1.0):
            desk.point(value)

        assert ["firing", "firing", "resolved"] == desk.told()

    def test_fire_for_want_of_data_when_they_are_told_to(self, desk):
        silent = AlertOptions(
            name="silent", metric="temp", threshold=5, on_unknown="fire", unknown_for="10s"
        )
        desk.service.declare([silent])
        desk.point(1.0)

        desk.tick(300)
        before = desk.told()
        desk.restart()
        desk.tick(10)

        assert [[], ["firing"]] == [before, desk.told()]

    def test_take_a_vote_and_are_labelled_with_their_priority(self, desk):
        voted = AlertOptions(name="v", metric="temp", threshold=5, votes="2 of 3", priority="P1")
        desk.service.declare([voted])

        told = [desk.point(value) or desk.told() for value in (6.0, 1.0, 6.0)]

        assert [[], [], ["firing"]] == told
        assert "P1" in str(desk.store.view("incidents"))

    def test_of_an_alert_made_by_others_are_a_problem_when_wrong(self, desk):
        options = {"metric": "temp", "life": {"on_unknown": "explode"}}
        desk.store.catalog.put_alert(Alert(name="theirs", threshold="> 1", options=options))

        desk.service.reload()

        assert "life" in desk.service.problems["theirs"]

    @pytest.mark.parametrize(
        "wrong", [{"votes": "5 of 3"}, {"may_miss": "often"}, {"unknown_for": "soon"}]
    )
    def test_that_cannot_be_are_refused(self, desk, wrong):
        with pytest.raises(ConfigError, match=f"alerts.v.{next(iter(wrong))}"):
            desk.service.declare([AlertOptions(name="v", metric="temp", threshold=5, **wrong)])


BOTH = AlertOptions(
    name="both", rule="composite", options={"expression": "'hot' and 'broken' unless silent"}
)
HOT_NOW = AlertOptions(name="hot", metric="temp", threshold=5)
SILENT = AlertOptions(
    name="silent", rule="absence", metric="other", system="shop", options={"after": "1h"}
)
BROKEN = AlertOptions(name="broken", rule="new_error", options={"lasts": "1h"})


class TestAlertsAboutAlerts:
    def state(self, desk):
        found = [each for each in desk.service.standings() if each.alert == "both"]
        return [each.unknown or each.state for each in found]

    def test_follow_what_others_become(self, desk):
        desk.service.declare([HOT_NOW, BROKEN, SILENT, BOTH])
        desk.point(6.0)
        before = self.state(desk)

        desk.error("a")

        assert [["inactive"], ["firing"]] == [before, self.state(desk)]
        desk.point(1.0)
        assert ["inactive"] == self.state(desk)

    def test_hear_of_what_fires_already_and_survive_a_restart(self, desk):
        desk.service.declare([HOT_NOW, BROKEN, SILENT])
        desk.point(6.0)
        desk.error("a")

        desk.service.declare([HOT_NOW, BROKEN, SILENT, BOTH])
        desk.restart()

        assert ["firing"] == self.state(desk)
        assert ["firing"] * 3 == desk.told()

    def test_do_not_know_what_the_others_do_not_know(self, desk):
        desk.service.declare([HOT_NOW, BROKEN, SILENT, BOTH])
        desk.error("a")
        desk.point(1.0)

        desk.tick(300)

        assert ["of_an_alert"] == self.state(desk)

    def test_about_one_there_is_none_of_are_refused(self, desk):
        with pytest.raises(ConfigError, match="no alert 'broken'"):
            desk.service.declare([HOT_NOW, SILENT, BOTH])

    def test_that_follow_in_a_circle_come_to_an_end(self, desk):
        circle = [
            AlertOptions(name=name, rule="composite", options={"expression": text})
            for name, text in (("a", "hot unless b"), ("b", "hot unless a"))
        ]
        desk.service.declare([HOT_NOW, *circle])

        desk.point(6.0)

        assert len(desk.told()) < 20


class TestThresholds:
    def test_fire_when_held_long_enough_and_not_before(self, desk):
        desk.service.declare([HOT])
        desk.point(6.0)
        desk.tick(1)
        before = desk.told()

        desk.tick(1)

        assert [[], ["firing"]] == [before, desk.told()]

    def test_resolve_when_the_value_returns(self, desk):
        desk.service.declare([AT_ONCE])

        for value in (6.0, 7.0, 1.0, 1.0):
            desk.point(value)

        assert ["firing", "resolved"] == desk.told()

    def test_do_not_resolve_when_data_stops(self, desk):
        desk.service.declare([AT_ONCE])
        desk.point(6.0)

        desk.tick(3_600)

        [standing] = desk.service.standings()
        assert ("firing", "no_data", ["firing"]) == (standing.state, standing.unknown, desk.told())

    def test_keep_series_and_services_apart(self, desk):
        desk.service.declare([AT_ONCE])

        desk.point(6.0, room="a")
        desk.point(6.0, room="b")
        desk.point(1.0, room="a")
        desk.point(6.0, service="other")

        assert sorted(["firing", "firing", "inactive"]) == sorted(desk.states())

    def test_tell_two_episodes_of_one_batch_apart(self, desk):
        desk.service.declare([AT_ONCE])
        now = desk.clock.now()
        points = [Point(metric="temp", value=value, time=now) for value in (6.0, 1.0, 6.0)]

        desk.service.observe(Observed(service="shop", time=now, points=points))

        assert ["firing", "resolved", "firing"] == desk.told()


class TestNewErrors:
    def test_are_told_once_each_and_never_resolved_aloud(self, desk):
        desk.service.declare([AlertOptions(name="new", rule="new_error")])

        for grouping in ("a", "b", "a"):
            desk.error(grouping)
        desk.tick(600)
        desk.error("a")

        assert ["firing", "firing"] == desk.told()

    def test_are_remembered_over_a_restart(self, desk):
        desk.service.declare([AlertOptions(name="new", rule="new_error")])
        desk.error("a")
        desk.tick(600)

        desk.restart()
        desk.error("a")

        assert ["firing"] == desk.told()

    def test_are_forgotten_one_by_one_beyond_a_bound(self, desk):
        desk.service.declare([AlertOptions(name="new", rule="new_error", options={"lasts": "1s"})])
        [watch] = desk.service._watches
        watch._limit = 2

        for grouping in ("a", "b", "c"):
            desk.error(grouping)
            desk.tick(5)
        desk.service.checkpoint()

        assert 1 == desk.vitals.count("alert_instances_overflow")
        assert 2 == len(desk.store.incidents.states())


class TestAbsence:
    def test_fires_when_nothing_comes_at_all(self, desk):
        options = {"after": "10s"}
        desk.service.declare(
            [
                AlertOptions(
                    name="gone", rule="absence", metric="temp", system="shop", options=options
                )
            ]
        )
        desk.tick(1)
        desk.tick(10)
        desk.point(1.0)

        assert ["firing", "resolved"] == desk.told()


class TestRestart:
    def test_goes_on_where_it_was(self, desk):
        desk.service.declare([HOT])
        desk.point(6.0)
        desk.tick(1)

        desk.restart()
        desk.tick(1)

        assert ["firing"] == desk.told()

    def test_knows_the_place_after_what_it_wrote(self, desk):
        desk.service.declare([AT_ONCE])
        desk.point(6.0)
        place = desk.service.resume()
        desk.point(7.0)

        desk.restart()

        assert place == desk.service.resume()

    @settings(max_examples=15)
    @given(
        st.lists(st.sampled_from([1.0, 6.0]), min_size=1, max_size=12),
        st.lists(st.integers(0, 11), max_size=4),
    )
    def test_replays_to_the_same_story(self, tmp_path_factory, values, crashes):
        stories = []
        for places in ((), crashes):
            desk = Desk(tmp_path_factory.mktemp("replay") / "state.db")
            desk.service.declare([HOT, AT_ONCE, *WINDOWED])
            play(desk, values, places)
            stories.append((desk.told(), desk.states()))
            desk.store.close()

        assert stories[0] == stories[1]


def windowed(rule, **options):
    window = {"window": "4s"} if rule != "changepoint" else {"learn": 3, "false_alarm_every": 9}
    line = {} if rule == "changepoint" else {"threshold": "> 2"}
    return AlertOptions(name=rule, rule=rule, metric="temp", options=window | options, **line)


WINDOWED = [
    windowed("rate_of_change"),
    windowed("percentile", min_events=1, clear="< 1.5", critical="> 5"),
    windowed("forecast", min_samples=2, min_fit=0.0, within="9s"),
    windowed("changepoint"),
    AlertOptions(name="voted", metric="temp", threshold=5, votes="2 of 3"),
    AlertOptions(name="both", rule="composite", options={"expression": "'at-once' and voted"}),
]


def play(desk, values, crashes):
    """Show the values second by second; at a crash, all from the written place comes again."""
    start = desk.clock.now()
    batches = [
        Observed(
            service="shop",
            time=start + n * SECOND,
            points=[Point(metric="temp", value=value, time=start + n * SECOND)],
            position=str(n + 1),
        )
        for n, value in enumerate(values)
    ]
    for n, batch in enumerate(batches):
        desk.service.observe(batch)
        if n in crashes:
            desk.restart()
            for again in batches[int(desk.service.resume() or 0) : n + 1]:
                desk.service.observe(again)


class TestDeclaring:
    def test_tells_that_it_is_over_where_the_alert_is_there_no_more(self, desk):
        desk.service.declare([AT_ONCE])
        desk.point(6.0)

        desk.service.declare([replace(AT_ONCE, name="renamed")])

        [incident] = desk.store.incidents.find()
        assert ("inactive", ["firing", "resolved"]) == (incident.state, desk.told())
        last = desk.notices()[-1]
        assert ("alert_removed", "shop") == (last.reason, last.system)
        assert last.text.startswith("its alert was taken out of the configuration")

    def test_tells_nobody_of_what_nobody_has_heard_of(self, desk):
        desk.service.declare([HOT])
        desk.point(6.0)

        desk.service.declare([])

        assert (["inactive"], []) == ([e.state for e in desk.store.incidents.find()], desk.told())

    def test_tells_once_that_it_is_over_where_the_alert_went_while_away(self, desk):
        desk.service.declare([AT_ONCE])
        desk.point(6.0)
        desk.store.catalog.set_alert_status(["at-once"], "inactive")
        desk.restart()  # and killed before it has told anything

        for _ in range(2):
            desk.restart()
            desk.service.declare([])

        assert ["inactive"] == [each.state for each in desk.store.incidents.find()]
        assert ["firing", "resolved"] == desk.told()

    def test_keeps_an_incident_whose_alert_is_changed(self, desk):
        desk.service.declare([AT_ONCE])
        desk.point(6.0)

        desk.service.declare([AlertOptions(name="at-once", metric="temp", threshold=4)])

        assert ["firing"] == desk.states()

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"threshold": "> high"}, r"alerts\.x\.threshold"),
            ({"threshold": 1, "severity": "warn"}, r"alerts\.x\.severity.*'warning'"),
            ({"threshold": 1, "for": "soon"}, r"alerts\.x\.for"),
            ({"threshold": 1, "options": {"mesure": "p95"}}, r"alerts\.x\.mesure.*'measure'"),
            ({"threshold": 1, "options": {"measure": "p96"}}, r"alerts\.x\.measure.*'p95'"),
        ],
    )
    def test_names_what_is_wrong_and_changes_nothing(self, desk, wrong, says):
        wrong = {
            name.replace("for", "for_") if name == "for" else name: v for name, v in wrong.items()
        }

        with pytest.raises(ConfigError, match=says):
            desk.service.declare([AT_ONCE, AlertOptions(name="x", metric="temp", **wrong)])

        assert [] == desk.store.catalog.alerts()

    def test_leaves_others_alone_when_one_alert_cannot_work(self, desk):
        desk.store.catalog.put_alert(Alert(name="broken", rule="no_such_rule"))
        desk.service.declare([AT_ONCE])

        desk.point(6.0)

        assert {"broken"} == set(desk.service.problems)
        assert ["firing"] == desk.told()


class TestByHand:
    def test_an_incident_can_be_resolved_and_begins_anew_with_the_next_breach(self, desk):
        desk.service.declare([AT_ONCE])
        desk.point(6.0)
        [standing] = desk.service.standings()

        assert desk.service.resolve(standing.incident)
        assert not desk.service.resolve("no-such")
        desk.point(6.0)

        assert ["firing", "resolved", "firing"] == desk.told()

    @pytest.mark.parametrize("how", ["reload", "restart"])
    def test_an_incident_that_was_resolved_stays_so_until_something_new_is_seen(self, desk, how):
        desk.service.declare([AT_ONCE])
        desk.point(6.0)
        desk.service.resolve(desk.service.standings()[0].incident)
        for _ in range(2):
            desk.restart() if how == "restart" else None
            desk.service.declare([AT_ONCE, HOT])
            desk.tick(60)
        before = desk.told()
        desk.point(6.0)

        assert (["firing", "resolved"], "firing") == (before, desk.told()[-1])

    def test_an_incident_that_was_resolved_begins_anew_after_any_replay(self, desk):
        desk.service.declare([AT_ONCE])
        desk.point(6.0)
        desk.service.resolve(desk.service.standings()[0].incident)
        desk.clock.turn(1)
        desk.point(6.0)
        desk.restart()  # killed: what was written is all there is
        desk.tick(1)

        assert (["firing"], 2) == (desk.states(), desk.told().count("firing"))

    def test_what_is_about_others_stays_resolved_while_they_say_nothing_new(self, desk):
        options = {"expression": "at-once"}
        both = AlertOptions(name="both", rule="composite", options=options)
        desk.service.declare([AT_ONCE, both])
        desk.point(6.0)
        ours = next(each for each in desk.service.standings() if each.alert == "both")
        desk.service.resolve(ours.incident)
        desk.restart()
        desk.service.declare([AT_ONCE, both, HOT])

        states = {each.alert: each.state for each in desk.service.standings()}
        assert ("firing", "inactive") == (states["at-once"], states["both"])

    @pytest.mark.parametrize(
        ("rule", "options"),
        [
            ("rate_of_change", {"window": "1m"}),
            ("percentile", {"window": "1m", "percentile": 50}),
        ],
    )
    def test_a_window_that_still_holds_what_was_resolved_begins_nothing(self, desk, rule, options):
        bad = AlertOptions(name="bad", rule=rule, metric="temp", threshold=5, options=options)
        desk.service.declare([bad])
        for value in range(0, 600, 10):
            desk.tick(1)
            desk.point(float(value))
        desk.service.resolve(desk.service.standings()[0].incident)
        for _ in range(30):
            desk.tick(1)
        before = desk.told()
        desk.point(600.0)

        assert (["firing", "resolved"], "firing") == (before, desk.told()[-1])

    def test_a_metrics_newest_value_can_be_judged(self, desk):
        system = desk.store.catalog.add_system("shop")
        metric = desk.store.catalog.add_metric(Metric(name="temp", monitoring_system=system.id))
        desk.store.catalog.put_alert(Alert(name="hot", metric=metric.id, threshold="> 5"))
        desk.service.reload()
        desk.store.catalog.add_analytics([Analytics(metric=metric.id, value=6.0, timestamp=1)])

        [standing] = desk.service.check_alerts(metric.id)

        assert standing.is_firing
        with pytest.raises(MetricNotFoundError):
            desk.service.check_alerts(99)


class TestForgetting:
    def test_takes_what_is_over_and_leaves_what_is_not(self, desk):
        desk.service.declare([AT_ONCE])
        for value, room in ((6.0, "a"), (1.0, "a"), (6.0, "b")):
            desk.point(value, room=room)
        desk.clock.turn(60)
        with desk.store.writing() as connection:
            connection.exec_driver_sql("UPDATE outbox SET status = 'sent'")

        desk.store.forget(before=desk.clock.now())

        assert ["firing"] == [each.state for each in desk.store.incidents.find()]
        assert ["firing"] == desk.told()  # whether anybody has heard of what fires still


class TestTrouble:
    def test_of_the_store_loses_nothing(self, desk):
        desk.service.declare([AT_ONCE])
        with desk.store.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE outbox RENAME TO away")
        desk.point(6.0)
        with desk.store.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO outbox")

        desk.tick(2)

        assert 1 == desk.vitals.count("alert_write_failures")
        assert ["firing"] == desk.told()
