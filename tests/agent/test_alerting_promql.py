"""Alerts with expressions of Prometheus: asked at an interval of what arrives, and restarted."""

import json
from random import Random

import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.questions import DUMP_EVERY
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.errors import ConfigError
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.buckets import bucket_of
from qmon_sdk.protocol.signals import Point

EVERY = 15


class Desk:
    """An alert service that is told something every 15 seconds."""

    def __init__(self, path):
        self.clock = HandClock(1_700_000_010 * SECOND)
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.vitals = Vitals()
        self.restart()

    def restart(self):
        self.service = AlertService(
            self.store, channels=("console",), clock=self.clock, vitals=self.vitals
        )

    def declare(self, expr, *, life=None, **options):
        table = {"expr": expr, **options}
        self.service.declare(
            [AlertOptions(name="asked", rule="promql", options=table, **(life or {}))]
        )

    def pass_by(self, *points, times=1):
        """Each time: the points, 15 s, and the question."""
        for _ in range(times):
            now = self.clock.now()
            told = [point(now) for point in points]
            self.service.observe(Observed(service="shop", time=now, points=told, position=str(now)))
            self.clock.turn(EVERY)
            self.service.tick()

    def states(self):
        standings = self.service.standings()
        return {
            json.loads(each.instance).get("room", ""): (each.state, each.unknown)
            for each in standings
        }

    def told(self):
        return [row[1].split(".")[1] for row in reversed(self.store.view("notifications")[1])]


def point(metric, value, kind="gauge", **attributes):
    return lambda now: Point(metric=metric, value=value, kind=kind, time=now, attributes=attributes)


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "state.db")
    yield desk
    desk.store.close()


class TestInstances:
    def test_are_the_label_sets_of_the_answer(self, desk):
        desk.declare("temp > 5")

        desk.pass_by(point("temp", 6.0, room="a"), point("temp", 1.0, room="b"))

        assert {"a": ("firing", "")} == desk.states()

    def test_pend_as_long_as_they_are_to_hold(self, desk):
        desk.declare("temp > 5", life={"for_": "30s"})
        hot = point("temp", 6.0, room="a")

        states = []
        for _ in range(2):
            desk.pass_by(hot)
            states.append(desk.states()["a"][0])

        assert ["pending", "firing"] == states

    def test_resolve_where_the_condition_is_known_to_be_gone(self, desk):
        desk.declare("temp > 5")

        desk.pass_by(point("temp", 6.0, room="a"))
        desk.pass_by(point("temp", 1.0, room="a"))

        assert ["firing", "resolved"] == desk.told()

    def test_are_told_with_templates_filled_in(self, desk):
        desk.declare(
            "temp > 5", text="{{ $labels.room }}: {{ $value | humanize }}", labels={"team": "x"}
        )

        desk.pass_by(point("temp", 6000.0, room="a"))

        names, [row] = desk.store.view("incidents")
        labels = dict(zip(names, row, strict=True))["labels"]
        [letter] = desk.store.outbox.lease("console", owner="me", until=desk.clock.now() + 1)
        assert {"room": "a", "job": "shop", "team": "x"} == labels
        assert "a: 6k" in letter.notice


class TestMissingData:
    def gone(self, desk, expr, **options):
        desk.declare(expr, **options)
        desk.pass_by(point("temp", 6.0, room="a"), point("up", 1.0))
        desk.pass_by(point("up", 1.0), times=25)
        return desk.states()

    @pytest.mark.parametrize(
        "expr",
        [
            "temp > 5",
            "sum by (room) (temp) > 5",
            "temp > 5 and on() up",
            "max_over_time(temp[1m]) > 5",
        ],
    )
    def test_is_unknown_and_keeps_what_fires(self, desk, expr):
        assert {"a": ("firing", "no_data")} == self.gone(desk, expr)

    def test_resolves_where_that_is_wanted_as_prometheus_has_it(self, desk):
        assert {"a": ("inactive", "")} == self.gone(desk, "temp > 5", missing="resolve")

    def test_is_what_absent_tells_of(self, desk):
        desk.declare("absent(temp)")
        desk.pass_by(point("temp", 1.0))
        desk.pass_by(point("up", 1.0), times=25)
        desk.pass_by(point("temp", 1.0))

        assert ["firing", "resolved"] == desk.told()

    def test_of_what_excuses_an_alert_is_no_excuse(self, desk):
        desk.declare("temp > 5 unless on() holiday")

        desk.pass_by(point("temp", 6.0, room="a"))
        desk.pass_by(point("temp", 6.0, room="a"), point("holiday", 1.0))

        assert ["firing", "resolved"] == desk.told()


class TestHealth:
    def test_names_what_asks_for_series_that_nobody_sends(self, desk):
        desk.declare("temp > 5")
        before = desk.service.unmatched
        desk.pass_by(point("temp", 1.0))

        assert (["asked"], []) == (before, desk.service.unmatched)

    @pytest.mark.parametrize("expr", ["absent(temp)", "vector(1) > 2"])
    def test_finds_nothing_wrong_where_none_are_meant_to_be(self, desk, expr):
        desk.declare(expr)

        assert [] == desk.service.unmatched

    def test_counts_samples_that_come_too_late(self, desk):
        desk.declare("temp > 5")
        desk.pass_by(point("temp", 1.0), point("temp", 2.0))

        assert 1 == desk.vitals.count("alert_samples_left_out", reason="late")


class TestErrors:
    def test_keep_what_fires_and_are_told(self, desk):
        desk.declare("temp > 5 and on() (a == on() b)")
        desk.pass_by(point("temp", 6.0, room="a"), point("a", 1.0), point("b", 1.0))

        desk.pass_by(point("temp", 6.0, room="a"), point("b", 1.0, twin="1"))

        assert {"a": ("firing", "error")} == desk.states()
        assert "duplicate series" in desk.service.problems["asked"]

    @pytest.mark.parametrize(
        ("options", "path"),
        [
            ({"expr": "sum(x"}, "expr"),
            ({"expr": "x", "text": "{{ query }}"}, "text"),
            ({"expr": "x", "labels": {"a": "{{ nope"}}, ""),
            ({"expr": "x", "interval": "0s"}, "interval"),
            ({"expr": "x", "records": [{"record": "y", "expr": "(("}]}, "records"),
        ],
    )
    def test_of_the_configuration_name_their_place(self, desk, options, path):
        alert = AlertOptions(name="bad", rule="promql", options=options)
        if not path:
            desk.service.declare([alert])
            return

        with pytest.raises(ConfigError, match=f"alerts.bad.{path}"):
            desk.service.declare([alert])


class TestNames:
    @pytest.mark.parametrize(
        "expr",
        [
            '{"http.server.duration"} > 5',
            'http_server_duration{http_route="/a"} > 5',
            'http_server_duration{job="shop"} > 5',
        ],
    )
    def test_are_ours_in_quotes_or_those_of_the_exposition(self, desk, expr):
        desk.declare(expr)

        desk.pass_by(point("http.server.duration", 6.0, **{"http.route": "/a"}))

        assert ["firing"] == desk.told()

    def test_of_counters_are_of_what_they_have_grown_to(self, desk):
        desk.declare("rate(orders_total[1m]) > 0.9")

        desk.pass_by(point("orders", 15.0, "counter"), times=5)

        assert ["firing"] == desk.told()


class TestHistograms:
    @pytest.mark.parametrize(
        "expr",
        [
            "histogram_quantile(0.9, rate(took_seconds_bucket[1m])) > 0.25",
            "rate(took_seconds_sum[1m]) / rate(took_count[1m]) > 0.25",
        ],
    )
    def test_of_ours_are_seen_in_buckets(self, desk, expr):
        desk.declare(expr)
        buckets = {bucket_of(0.3): 10}

        desk.pass_by(
            lambda now: Point(
                metric="took",
                kind="distribution",
                unit="s",
                value=3.0,
                count=10,
                buckets=buckets,
                time=now,
            ),
            times=3,
        )

        assert ["firing"] == desk.told()


class TestCounters:
    def test_that_grow_once_are_heard_of(self, desk):
        desk.declare("increase(errors_total[5m]) > 0.9")

        desk.pass_by(point("errors", 1.0, "counter"))

        assert ["firing"] == desk.told()

    def test_that_tell_nothing_did_not_grow(self, desk):
        desk.declare("increase(errors_total[5m]) > 0.9")
        desk.pass_by(point("errors", 1.0, "counter"))

        desk.pass_by(times=25)

        assert ["firing", "resolved"] == desk.told()

    def test_that_are_scraped_are_missing_where_they_are_not(self, desk):
        desk.declare("increase(errors_total[1m]) >= 0")
        desk.pass_by(point("errors", 0.0, "counter"), times=3)

        desk.pass_by(times=25)

        assert [("firing", "no_data")] == list(desk.states().values())

    def test_are_forgotten_after_a_long_silence(self, desk):
        desk.declare("errors_total > 0")
        desk.pass_by(point("errors", 1.0, "counter"))

        desk.pass_by(times=70)

        assert [("firing", "no_data")] == list(desk.states().values())


class TestAlternatives:
    def test_are_known_each_by_itself(self, desk):
        desk.declare("temp > 5 or on() up == 0")
        desk.pass_by(point("temp", 1.0, room="a"), point("up", 0.0, room="b"))

        desk.pass_by(point("temp", 6.0, room="a"), point("up", 1.0, room="b"))

        assert {"a": ("firing", ""), "b": ("inactive", "")} == desk.states()


class TestRecords:
    def test_are_series_for_what_is_asked_then(self, desk):
        records = [
            {"record": "room:temp:max", "expr": "max by (room) (temp)", "labels": {"x": "1"}}
        ]
        desk.declare('min_over_time(room:temp:max{x="1"}[1m]) > 5', records=records)

        desk.pass_by(point("temp", 6.0, room="a"), times=3)

        assert {"a": ("firing", "")} == desk.states()


class TestRestarts:
    @pytest.mark.parametrize("times", [1, 3, 7])
    def test_bring_the_samples_back(self, desk, times):
        desk.declare("count_over_time(temp[5m]) >= 10")
        for _ in range(10):
            desk.pass_by(point("temp", 6.0, room="a"))
            if _ % times == 0:
                desk.service.checkpoint()
                desk.restart()

        assert {"a": ("firing", "")} == desk.states()

    def test_bring_counters_back_where_they_were(self, desk):
        desk.declare("max_over_time(orders_total[10m]) >= 100")
        for _ in range(int(2 * DUMP_EVERY / SECOND / EVERY) + 2):
            desk.pass_by(point("orders", 10.0, "counter"))
            desk.service.checkpoint()
            desk.restart()

        assert ["firing"] == desk.told()

    def test_bring_them_back_also_where_an_alert_is_gone_meanwhile(self, desk):
        table = {"expr": "count_over_time(temp[5m]) >= 10"}
        asked = AlertOptions(name="asked", rule="promql", options=table)
        gone = AlertOptions(name="gone", rule="promql", options={"expr": "temp > 5"})
        desk.service.declare([asked, gone])
        desk.pass_by(point("temp", 6.0, room="a"), times=9)
        desk.service.checkpoint()
        desk.store.catalog.set_alert_status(["gone"], "inactive")

        desk.restart()
        desk.restart()
        desk.pass_by(point("temp", 6.0, room="a"))

        assert {"a": ("firing", "")} == desk.states()

    def test_ask_no_moment_twice(self, desk):
        desk.declare("temp > 5", life={"for_": "1h"})
        desk.pass_by(point("temp", 6.0, room="a"))
        before = desk.service.standings()

        desk.restart()
        desk.service.tick()

        assert before == desk.service.standings()

    def test_after_long_ask_for_what_was_missed_within_bounds(self, desk):
        desk.declare("temp > 5")
        desk.pass_by(point("temp", 6.0, room="a"))

        desk.clock.turn(86_400)
        desk.service.tick()

        assert {"a": ("firing", "no_data")} == desk.states()


class TestKills:
    """What was written last and what is read again make what would have been without them."""

    ALERTS = (
        AlertOptions(
            name="rate",
            rule="promql",
            for_="30s",
            options={"expr": "rate(orders_total[1m]) > 0.5", "interval": "15s"},
        ),
        AlertOptions(
            name="recorded",
            rule="promql",
            options={
                "expr": "max_over_time(hot:max[2m]) > 5",
                "interval": "30s",
                "records": [{"record": "hot:max", "expr": "max by (room) (temp)"}],
            },
        ),
    )

    def lived(self, path, kills):
        desk, batches = Desk(path), []
        desk.service.declare(self.ALERTS)
        desk.service.checkpoint()
        random = Random(7)
        for step in range(40):
            now = desk.clock.turn(EVERY)
            told = [
                point("orders", random.choice([0.0, 5.0, 20.0]), "counter")(now),
                point("temp", random.choice([1.0, 9.0]), room=random.choice("ab"))(now),
            ]
            if 15 < step < 25:
                told = []
            batches.append(Observed(service="shop", time=now, points=told, position=f"{step:03}"))
            desk.service.observe(batches[-1])
            if step in kills:
                desk.restart()
                for batch in batches:
                    if batch.position > desk.service.resume():
                        desk.service.observe(batch)
        desk.service.checkpoint()
        found = [desk.store.view(name)[1] for name in ("incidents", "notifications")]
        desk.store.close()
        return found

    @pytest.mark.parametrize("seed", range(3))
    def test_change_nothing(self, tmp_path, seed):
        kills = set(Random(seed).sample(range(40), 15))

        assert self.lived(tmp_path / "a.db", set()) == self.lived(tmp_path / "b.db", kills)
