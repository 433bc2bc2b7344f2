"""What makes a rule a rule: every file in the folder, ours and others'."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmon_agent.alerting.evaluation import Cell, evaluate
from qmon_agent.alerting.observed import Changed, Observed, Reply
from qmon_agent.alerting.rules import RULES
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.incidents import Policy
from qmon_sdk.protocol.signals import CheckIn, Error, Event, Finding, Log, Point, Session, Snapshot

BAD, ALL = {"metric": "temp", "where": {"room": "b*"}}, {"metric": "temp"}
OPTIONS = {
    "sql": {"query": "SELECT service, n FROM t", "threshold": "> 5", "every": "1s"},
    "threshold": {"metric": "temp", "threshold": "> 5", "system": "shop", "clear": "< 3"},
    "absence": {"metric": "temp", "system": "shop", "after": "3s"},
    "anomaly": {"metric": "temp", "system": "shop", "min_samples": 3, "stale_after": "3s"},
    "burn_rate": {"system": "shop", "bad": BAD, "events": ALL, "objective": 0.9, "min_events": 2},
    "certificate_expiry": {"metric": "temp", "system": "shop"},
    "changepoint": {"metric": "temp", "system": "shop", "learn": 3, "false_alarm_every": 9},
    "composite": {"expression": "a and (b or c)"},
    "crashed_sessions": {"system": "shop", "window": "10s", "min_events": 1},
    "escalating_error": {"system": "shop", "min_events": 2},
    "forecast": {
        "metric": "temp",
        "system": "shop",
        "threshold": "> 9",
        "window": "6s",
        "min_samples": 3,
        "min_fit": 0.1,
        "stale_after": "3s",
    },
    "funnel_drop": {
        "system": "shop",
        "steps": ["view", "order"],
        "below": 0.5,
        "drop": 20,
        "within": "4s",
        "window": "9s",
        "baseline": "20s",
        "minimum": 1,
    },
    "log_pattern": {"system": "shop", "threshold": "> 2", "window": "6s", "text": "~bro?ke"},
    "missed_checkin": {"system": "shop", "margin": "2s", "max_runtime": "3s"},
    "promql": {"expr": "temp > 5"},
    "new_vulnerability": {"system": "shop", "severity": "high", "settle": "3s"},
    "new_error": {"system": "shop", "lasts": "3s"},
    "percentile": {
        "metric": "temp",
        "system": "shop",
        "threshold": "> 5",
        "clear": "< 3",
        "critical": "> 8",
        "window": "10s",
        "min_events": 2,
        "per": ["room"],
    },
    "probe_down": {"system": "shop", "stale_after": "3s"},
    "rate_of_change": {"metric": "temp", "system": "shop", "threshold": "> 5", "window": "4s"},
    "quality_gate": {"system": "shop", "conditions": {"coverage": "< 8", "smells": "> 5"}},
    "ratio": {
        "system": "shop",
        "part": BAD,
        "whole": ALL,
        "threshold": "> 0.5",
        "window": "8s",
        "min_events": 2,
    },
    "received": {"system": "shop"},
    "regression": {"system": "shop", "quiet_for": "3s", "lasts": "2s"},
    "security_incident": {"system": "shop", "limits": {"authn_*": 3}, "window": "8s"},
    "users_affected": {"system": "shop", "threshold": "> 2", "window": "8s"},
}
VALUES = st.floats(0, 10) | st.just(float("nan"))
POINTS = st.lists(
    st.builds(
        Point,
        metric=st.sampled_from(["temp", "other", "alert.firing", "probe.up"]),
        kind=st.sampled_from(["gauge", "counter", "distribution"]),
        value=VALUES,
        attributes=st.fixed_dictionaries({}, optional={"room": st.sampled_from(["a", "bed"])}),
    ),
    max_size=3,
)
ERRORS = st.lists(
    st.builds(
        Error, type=st.just("E"), grouping=st.sampled_from("abc"), user_id=st.sampled_from("uvw")
    ),
    max_size=3,
)
SESSIONS = st.lists(st.builds(Session, status=st.sampled_from(["healthy", "crashed"])), max_size=3)
CHECKINS = st.lists(
    st.builds(
        CheckIn,
        monitor=st.sampled_from("ab"),
        status=st.sampled_from(["in_progress", "ok", "error", "missed", "?"]),
        time=st.integers(990 * SECOND, 1_100 * SECOND),
        attributes=st.fixed_dictionaries(
            {},
            optional={
                "checkin.id": st.sampled_from("xyz"),
                "schedule": st.sampled_from(["every 3s", "* * * * *", "sometimes"]),
                "timezone": st.sampled_from(["Europe/Berlin", "Middle/Earth"]),
                "margin_s": st.sampled_from(["1", "soon", "nan"]),
            },
        ),
    ),
    max_size=3,
)
LOGS = st.lists(
    st.builds(Log, body=st.sampled_from(["it broke", "it works", "authn_login_fail:ann"])),
    max_size=3,
)
CHANGED = st.lists(
    st.builds(
        Changed,
        alert=st.sampled_from("abc"),
        instance=st.sampled_from(["x", "y", '{"grouping":"a","service":"shop"}']),
        labels=st.just({"service": "shop"}),
        fires=st.sampled_from([True, False, None]),
        by_hand=st.booleans(),
    ),
    max_size=2,
).map(tuple)
REPLIES = st.lists(
    st.builds(
        Reply,
        sql=st.sampled_from(["SELECT service, n FROM t", "other"]),
        rows=st.lists(
            st.fixed_dictionaries(
                {"service": st.just("shop"), "n": st.none() | st.integers(0, 9) | VALUES}
            ),
            max_size=2,
        ).map(tuple),
    ),
    max_size=1,
).map(tuple)
BRANCHES = st.fixed_dictionaries({}, optional={"vcs.ref.head.name": st.sampled_from("xy")})
SNAPSHOTS = st.lists(
    st.builds(
        Snapshot,
        time=st.integers(990 * SECOND, 1_100 * SECOND),
        scan=st.just("code"),
        commit=st.sampled_from("abc"),
        measure=st.sampled_from(["coverage", "smells", "other"]),
        value=VALUES,
        attributes=BRANCHES,
    ),
    max_size=3,
)
FINDINGS = st.lists(
    st.builds(
        Finding,
        time=st.integers(990 * SECOND, 1_100 * SECOND),
        scan=st.just("code"),
        commit=st.sampled_from("ab"),
        rule=st.sampled_from(["CVE-2026-0001", "S101"]),
        severity=st.sampled_from(["critical", "low"]),
        state=st.sampled_from(["new", "known", "fixed"]),
        attributes=BRANCHES,
    ),
    max_size=3,
)
EVENTS = st.lists(
    st.builds(
        Event,
        time=st.just(0) | st.integers(990 * SECOND, 1_100 * SECOND),
        name=st.sampled_from(["authn_login_fail", "view", "order"]),
        user_id=st.sampled_from(["", "u", "v", "w"]),
        attributes=st.fixed_dictionaries({}, optional={"client.address": st.just("203.0.113.7")}),
    ),
    max_size=3,
)
SIGNALS = st.fixed_dictionaries(
    {
        "points": POINTS,
        "errors": ERRORS,
        "checkins": CHECKINS,
        "sessions": SESSIONS,
        "logs": LOGS,
        "snapshots": SNAPSHOTS,
        "findings": FINDINGS,
        "events": EVENTS,
        "changed": CHANGED,
        "replies": REPLIES,
    }
)
STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.none() | st.tuples(st.sampled_from(["shop", "away"]), SIGNALS)),
    max_size=15,
)
ONE_OF_EACH = {
    "points": [
        Point(metric="temp", value=9.0),
        Point(metric="alert.firing", value=1.0),
        Point(metric="probe.up", value=0.0),
    ],
    "errors": [Error(type="E", user_id="u")],
    "sessions": [Session(status="crashed")],
    "logs": [Log(body="it broke")],
    "replies": (Reply(sql="SELECT service, n FROM t", rows=({"service": "shop", "n": 9},)),),
    "changed": (Changed(alert="a", instance="x", labels={"service": "shop"}, fires=True),),
    "checkins": [CheckIn(monitor="a")],
    "events": [Event(name="authn_login_fail"), Event(name="view", user_id="u")],
    "findings": [Finding(scan="code", rule="CVE-2026-0001", severity="critical")],
    "snapshots": [Snapshot(scan="code", measure="coverage", value=7.0)],
}


def play(rule, steps, keep=lambda memory: memory):
    """Judge every fact of every step, and every instance when only time passes."""
    now, memories, told = 1_000 * SECOND, {}, []
    for passed, seen in steps:
        now += passed * SECOND
        facts = dict.fromkeys(memories)
        if seen:
            service, signals = seen
            batch = Observed(service=service, time=now, **signals)
            facts = {fact.instance: fact for fact in rule.notice(batch)}
        for instance, fact in facts.items():
            judged = rule.judge(memories.get(instance, {}), fact, now)
            memories[instance] = keep(judged.memory)
            told.append((now, instance, judged.verdict, judged.wake))
    return told


def through_json(memory):
    return msgspec.json.decode(msgspec.json.encode(memory))


@pytest.fixture
def rule(name):
    return RULES.build(name, OPTIONS.get(name, {}))


@pytest.mark.parametrize("name", RULES.names())
class TestEveryRule:
    def test_says_what_it_is_in_one_sentence(self, name):
        assert (RULES.find(name).__doc__ or "").strip()

    def test_refuses_an_option_it_does_not_have(self, name):
        with pytest.raises(ConfigError, match=f"rules.{name}.no_such_option"):
            RULES.build(name, OPTIONS.get(name, {}) | {"no_such_option": 1})

    def test_says_the_same_about_itself_each_time(self, rule):
        assert rule.about() == rule.about()

    @settings(max_examples=40)
    @given(steps=STEPS)
    def test_judges_the_same_again(self, name, steps):
        told = [play(RULES.build(name, OPTIONS.get(name, {})), steps) for _ in range(2)]

        assert told[0] == told[1]

    @settings(max_examples=40)
    @given(steps=STEPS)
    def test_remembers_in_plain_json(self, name, steps):
        rule = RULES.build(name, OPTIONS.get(name, {}))

        assert play(rule, steps) == play(rule, steps, keep=through_json)

    @settings(max_examples=40)
    @given(steps=STEPS)
    def test_never_asks_to_be_woken_in_the_past(self, name, steps):
        told = play(RULES.build(name, OPTIONS.get(name, {})), steps)

        assert all(wake is None or wake > now for now, _, _, wake in told)

    def test_looks_at_its_own_system_only(self, rule):
        told = ONE_OF_EACH | {"changed": (), "replies": ()}

        assert [] == list(rule.notice(Observed(service="away", time=1, **told)))

    def test_names_instances_and_labels_in_text(self, rule):
        facts = list(rule.notice(Observed(service="shop", time=1, **ONE_OF_EACH)))

        assert facts or rule.about().question
        for fact in facts:
            assert isinstance(fact.instance, str)
            assert json.dumps(dict(fact.labels))


class TestEvaluation:
    def test_takes_a_rule_that_fails_for_one_that_does_not_know(self):
        class Failing:
            def judge(self, memory, fact, now):
                raise ZeroDivisionError

        done = evaluate(Cell(), None, 1, rule=Failing(), policy=Policy(), name="x")

        assert ("error", "ZeroDivisionError: ") == (done.cell.episode.unknown, done.failed)


class TestThreshold:
    @pytest.mark.parametrize(
        ("measure", "value"),
        [
            ("value", 2.0),
            ("sum", 8.0),
            ("count", 4.0),
            ("minimum", 1.0),
            ("maximum", 5.0),
            ("p95", 5.0),
        ],
    )
    def test_measures_what_it_is_asked_to(self, measure, value):
        rule = RULES.build("threshold", {"metric": "temp", "threshold": 1, "measure": measure})
        point = Point(
            metric="temp",
            kind="distribution",
            value=8.0,
            count=4,
            minimum=1.0,
            maximum=5.0,
            buckets={41: 4},
        )

        [fact] = rule.notice(Observed(service="shop", time=1, points=[point]))

        assert value == pytest.approx(fact.value, rel=0.05)

    def test_can_be_narrowed_by_attributes(self):
        rule = RULES.build("threshold", {"metric": "temp", "threshold": 1, "where": {"room": "a"}})
        points = [Point(metric="temp", attributes={"room": room}) for room in "ab"]

        facts = list(rule.notice(Observed(service="shop", time=1, points=points)))

        assert [{"service": "shop", "room": "a"}] == [fact.labels for fact in facts]
