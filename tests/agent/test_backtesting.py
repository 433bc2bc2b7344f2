"""What alerts would have done on what is stored."""

import json
import os
import subprocess
import sys
import time

import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.rules import RULES
from qmon_agent.app.backtesting import Backtested, Spell, Trace, backtest, compared
from qmon_agent.app.recalling import Span, Wanted, recalled, wanted_by
from qmon_agent.app.stopped import stopped
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.sparklines import sparkline
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.settings import AlertOptions, find_locations
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame
from qmon_sdk.protocol.signals import Error, Event, Finding, Log, Point, Snapshot

BEGAN = (time.time_ns() // SECOND - 3_600) * SECOND
SPAN = Span(since=BEGAN, until=BEGAN + 1_800 * SECOND)
VALUES = [1, 1, 9, 9, 9, 1, 1, 9, 9, 1, 7, 1]
HOT = AlertOptions(name="hot", metric="temp", threshold="> 5 for 30s")
ASKED = AlertOptions(name="asked", rule="promql", options={"expr": "temp > 8", "interval": "15s"})
BOOM = AlertOptions(name="boom", rule="new_error")
SEEN = [
    Event(time=BEGAN + SECOND, name="order placed", user_id="u1", sequence=3),
    Snapshot(time=BEGAN + SECOND, scan="code", commit="c1", measure="coverage", value=71.5),
    Finding(time=BEGAN + SECOND, scan="code", commit="c1", rule="S1", path="a.py", line=7),
]
BOTH = AlertOptions(name="both", rule="composite", options={"expression": "hot and boom"})


def points(place, value):
    at = BEGAN + place * 30 * SECOND
    return [Point(time=at, metric="temp", value=float(value)), Point(time=at, metric="other")]


@pytest.fixture
def state(tmp_path):
    """The state directory of an agent that has stored half an hour and stopped."""
    batches = [points(place, value) for place, value in enumerate(VALUES)]
    batches.append([Error(time=BEGAN + 65 * SECOND, type="Boom", culprit="x"), Log(body="a")])
    batches.append(SEEN)
    journal = Journal.open(tmp_path / "journal", options=JournalOptions(), clock=HandClock(BEGAN))
    for number, batch in enumerate(batches, 1):
        who = Resource(service="shop", environment="prod", release="1.2")
        frame = Frame(process=bytes(16), sequence=number, resource=who, blocks=blocks_of(batch))
        journal.append(encode_frame(frame), process=bytes(16), sequence=number)
    journal.commit()
    journal.close()
    return tmp_path


@pytest.fixture
def ask(state):
    with stopped(find_locations(state=str(state))) as asking:
        yield asking


def fired_at(told):
    spells = [spell for trace in told.instances for spell in trace.spells]
    return [(spell.fired_at - BEGAN) // SECOND for spell in spells]


class TestBacktest:
    def test_says_when_it_would_have_fired_how_long_and_how_bad_it_was(self, ask):
        done = backtest([HOT], ["hot"], ask, span=SPAN)
        (told,) = done.alerts
        (trace,) = told.instances
        first, second = trace.spells

        assert (12, 2, [90, 240]) == (done.rows, told.fired, fired_at(told))
        assert (60 * SECOND, 9.0) == (first.resolved_at - first.fired_at, second.peak)
        assert (1.0, 9.0, "shop") == (trace.lowest, trace.highest, trace.labels["service"])

    def test_asks_expressions_at_their_interval(self, ask):
        (told,) = backtest([ASKED], ["asked"], ask, span=SPAN).alerts

        assert 2 == told.fired
        assert [first // 15 for first in fired_at(told)] == [4, 14]

    def test_looks_at_all_that_an_alert_about_alerts_needs(self, ask):
        (told,) = backtest([HOT, BOOM, BOTH], ["both"], ask, span=SPAN).alerts

        assert ("both", [90, 240]) == (told.alert, fired_at(told))

    def test_counts_what_cannot_be_worked_out(self, ask):
        many = 'temp > on() {__name__=~"temp|other"}'
        wrong = AlertOptions(name="wrong", rule="promql", options={"expr": many})
        (told,) = backtest([wrong], ["wrong"], ask, span=SPAN).alerts

        assert 0 == told.fired
        assert told.failures > 1

    def test_of_nothing_stored_finds_nothing(self, ask):
        before = Span(since=BEGAN - 3_600 * SECOND, until=BEGAN - 60 * SECOND)
        done = backtest([HOT], ["hot"], ask, span=before)

        assert (0, 0, []) == (done.rows, done.alerts[0].fired, done.alerts[0].instances)

    def test_judges_as_the_service_does_and_shows_both_beside_each_other(self, ask, state):
        clock = HandClock(BEGAN)
        store = StateStore.open(f"sqlite:///{state}/state.db", clock)
        service = AlertService(store, clock=clock)
        service.declare([HOT])
        for place, value in enumerate(VALUES):
            at = BEGAN + place * 30 * SECOND
            service.observe(Observed(service="shop", time=at, points=points(place, value)))
            service.tick(at)
        (told,) = backtest([HOT], ["hot"], ask, span=SPAN).alerts

        really = sorted(each.fired_at for each in store.incidents.find() if each.fired_at)
        store.close()
        assert really == [spell.fired_at for spell in told.instances[0].spells]
        assert (2, 2) == (told.compared.fired, told.compared.both)


class TestRecalling:
    @pytest.mark.parametrize("page", [1, 2, 3, 5, 10_000])
    def test_tells_each_row_once_and_in_order_however_few_are_asked_for(self, ask, page):
        wanted = Wanted(shown=("points", "errors"), metrics=("temp", "other"))
        batches = [*recalled(ask, wanted, SPAN, page=page)]
        times = [batch.time for batch in batches]

        assert sorted(times) == times
        assert 2 * len(VALUES) == sum(len(batch.points) for batch in batches)
        assert ["prod"] == [batch.environment for batch in batches if batch.errors]

    @pytest.mark.parametrize(("rule", "metric"), [("received", "alert."), ("probe_down", "probe.")])
    def test_brings_what_a_rule_reads_beside_what_it_looks_at(self, rule, metric):
        about = RULES.build(rule, {}).about()
        known = [about.metric, *about.beside, "other"]

        assert tuple(known[:-1]) == wanted_by([about], set(), known).metrics
        assert all(name.startswith(metric) for name in known[:-1])

    def test_tells_what_was_seen_of_people_and_of_scans(self, ask):
        wanted = Wanted(shown=("events", "snapshots", "findings"))
        (batch,) = recalled(ask, wanted, SPAN)

        assert "1.2" == batch.release
        assert SEEN == [*batch.events, *batch.snapshots, *batch.findings]

    def test_is_not_fooled_by_names(self, ask):
        wanted = Wanted(shown=("points",), metrics=("temp' OR '1'='1",))

        assert [] == [*recalled(ask, wanted, SPAN)]


def spell(first, last=0, instance="a"):
    return Spell(instance=instance, fired_at=first, resolved_at=last)


class TestComparison:
    def test_matches_times_that_overlap(self):
        trace = Trace(instance="a", spells=[spell(10, 20), spell(50)])
        told = Backtested(alert="x", rule="threshold", instances=[trace])
        history = [spell(15, 30), spell(40, 45), spell(12, 18, "b")]
        found = compared(told, history)

        assert (3, 1) == (found.fired, found.both)
        assert ([50], [40, 12]) == (
            [each.fired_at for each in found.only_now],
            [each.fired_at for each in found.only_then],
        )

    def test_says_nothing_where_nothing_is_known(self):
        assert compared(Backtested(alert="x", rule="threshold"), []) is None


class TestChart:
    @pytest.mark.parametrize(
        ("values", "line"),
        [
            ([], ""),
            ([1.0], "▁"),
            ([0.0, None, 7.0, 3.5], "▁·█▅"),
            ([float("inf"), 1.0, float("-inf")], "█▁·"),
            ([-1.7e308, 1.7e308], "▁█"),
        ],
    )
    def test_is_one_character_for_each_value(self, values, line):
        assert line == sparkline(values)


def run(state, *words):
    done = subprocess.run(
        [sys.executable, "-m", "qmon_agent.cli", "backtest", *words, "--state", str(state)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "QMON_SOCKET": str(state / "nobody.sock")},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def rules(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text('[[alerts]]\nname = "hot"\nmetric = "temp"\nthreshold = "> 5 for 30s"\n')
    return str(file)


class TestCommand:
    def test_shows_each_time_and_a_chart(self, state, rules):
        code, said = run(state, "hot", "--file", rules, "--since", "2h")

        assert 0 == code, said
        assert "hot (threshold): would have fired 2 times, 1m30s in all, 1 instances" in said
        assert 'service="shop"' in said
        assert "for 1m, peak 9" in said
        assert set("▁▂▃▄▅▆▇█") & set(said)

    def test_answers_programs(self, state, rules):
        code, said = run(state, "--file", rules, "--json")

        assert (0, [2]) == (code, [each["fired"] for each in json.loads(said)["alerts"]])

    @pytest.mark.parametrize(
        ("words", "code"),
        [(["hat", "--file"], 3), (["hot", "--since", "x", "--file"], 2), (["--until", "9d"], 2)],
    )
    def test_refuses_what_it_cannot_do(self, state, rules, words, code):
        file = [rules] if words[-1] == "--file" else []

        assert code == run(state, *words, *file)[0]
