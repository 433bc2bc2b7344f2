"""Routes, groups, silences and inhibition are those of a real Alertmanager, whatever is drawn."""

import importlib.util
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest
import yaml

from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.domain.alarms.inhibition import inhibitors, sources_of
from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.route_tree import routes_for
from qmon_agent.domain.alarms.silences import Silence, silencers
from qmon_agent.settings.routing import RoutingOptions

WHOLE = os.environ.get("QMON_DIFFERENTIAL") == "all"
SEEDS = range(25 if WHOLE else 2)
TREES = 120
LABELS = 12
AMTOOL_CALLS = 600 if WHOLE else 25
FEW = 4
"""Trees in what amtool reads anew at every call."""


def beside(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


drawn_routes = beside("drawn_routes")


@pytest.fixture(scope="module")
def real():
    return beside("alertmanagers")


@pytest.fixture
def alertmanager_with(real, missing):
    """Starts Alertmanagers, and stops them."""
    running = []

    def start(config):
        try:
            running.append(real.alertmanager(config))
        except sys.modules["servers"].NotInstalledError as error:
            missing(str(error))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def plan_of(config):
    """Ours, from the same keys."""
    named = [each["name"] for each in config["receivers"]]
    options = msgspec.convert(
        {**config["route"], "inhibit_rules": config.get("inhibit_rules", [])}, RoutingOptions
    )
    return make_plan(options, named)


def forest_of(drawn, trees=TREES):
    """A configuration, and alerts for every tree in it."""
    config = drawn.forest(trees)
    alerts = [
        {**drawn.labels(), drawn_routes.TREE: str(n)} for n in range(trees) for _ in range(LABELS)
    ]
    return config, [dict(each) for each in {frozenset(each.items()) for each in alerts}]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
def test_receivers_and_groups_are_those_of_alertmanager(seed, alertmanager_with):
    config, alerts = forest_of(drawn_routes.Drawn(Random(seed)))
    root = plan_of(config).root
    server = alertmanager_with(config)
    server.take(alerts)
    theirs = [
        (group["receiver"]["name"], group["labels"], alert["labels"])
        for group in server.groups()
        for alert in group["alerts"]
    ]
    ours = [
        (route.receiver, route.group_labels(labels), labels)
        for labels in alerts
        for route in routes_for(root, labels)
    ]

    assert len(ours) > len(alerts)
    assert in_order(theirs) == in_order(ours)


# What inhibits hears of alerts by itself, in their order: when this one is inhibited, it knows all.
LAST = ({"alertname": "last-source"}, {"alertname": "last-target"})
LAST_RULE = {
    "source_matchers": ["alertname=last-source"],
    "target_matchers": ["alertname=last-target"],
    "equal": [],
}


def in_order(rows):
    # Two groups of one receiver with the same labels, from different routes, are two rows each.
    return sorted(repr((name, sorted(a.items()), sorted(b.items()))) for name, a, b in rows)


@pytest.mark.timeout(600)
def test_receivers_are_those_of_amtool(real, missing, tmp_path):
    try:
        program = real.amtool()
    except sys.modules["servers"].NotInstalledError as error:
        missing(str(error))
    drawn, file = drawn_routes.Drawn(Random(1_000)), tmp_path / "alertmanager.yml"
    for _ in range(AMTOOL_CALLS // 25):
        config, alerts = forest_of(drawn, FEW)
        file.write_text(yaml.safe_dump(config))
        root = plan_of(config).root
        for labels in drawn.chance.sample(alerts, 25):
            ours = [route.receiver for route in routes_for(root, labels)]

            assert real.routed_by_amtool(program, file, labels) == ours, labels


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
def test_silences_and_inhibition_are_those_of_alertmanager(seed, alertmanager_with):
    drawn = drawn_routes.Drawn(Random(seed + 2_000))
    rules = [
        {
            "source_matchers": [drawn_routes.written(each) for each in drawn.matchers()],
            "target_matchers": [drawn_routes.written(each) for each in drawn.matchers()],
            "equal": drawn.chance.sample(drawn_routes.NAMES, drawn.chance.randint(0, 2)),
        }
        for _ in range(4)
    ]
    rules.insert(0, LAST_RULE)
    config = {"route": {"receiver": "r0"}, "receivers": [{"name": "r0"}], "inhibit_rules": rules}
    alerts = {frozenset(drawn.labels().items()) for _ in range(60)}
    server = alertmanager_with(config)
    silences = [silenced(server, drawn) for _ in range(12)]
    server.take([dict(each) for each in alerts])
    found = server.take_last(LAST)
    names = {each["fingerprint"]: each["labels"] for each in found.values()}
    now, rules = nanos(datetime.now(UTC)), plan_of(config).inhibit_rules
    sources = sources_of(rules, names)
    for labels in map(dict, alerts):
        status = found[frozenset(labels.items())]["status"]
        by = silencers([each for each in silences if each], labels, now)

        assert sorted(status["silencedBy"]) == sorted(by), labels
        ours = inhibitors(rules, labels, sources)
        assert bool(ours) == bool(status["inhibitedBy"]), labels
        assert set(status["inhibitedBy"]) <= set(ours), labels


def silenced(server, drawn):
    """The same silence there and here; none where Alertmanager refuses it."""
    matchers = drawn.matchers(1, 3)
    starts = datetime.now(UTC) + drawn.chance.choice([timedelta(0), timedelta(hours=1)])
    ends = starts + timedelta(hours=1)
    ours = parse_matchers(",".join(map(drawn_routes.written, matchers)))
    if not any(each.names_something for each in ours):
        return None
    name = server.silence([drawn_routes.as_asked(each) for each in matchers], starts, ends)
    return Silence(id=name, matchers=ours, starts_at=nanos(starts), ends_at=nanos(ends))


def nanos(moment):
    return int(moment.timestamp()) * 1_000_000_000
