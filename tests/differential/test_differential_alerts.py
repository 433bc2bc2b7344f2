"""Alerts pend, fire and end when those of Prometheus do, with the same labels and texts."""

import json
import re
from random import Random

import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.rule_files import read_rules, toml_of
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.settings import read_settings
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Point

WORLDS = {False: 4, True: 200}
START_S = 1_700_000_010
_TEST = re.compile(
    r"^    alertname: (\w+), time: \S+, \n        exp:\[.*?\], \n        got:\[(.*?)\]$",
    re.MULTILINE | re.DOTALL,
)
_ALERT = re.compile(r"Labels:\{(.*)\}\n\s+Annotations:\{(.*)\}")
_NEVER = [{"exp_labels": {"never": "1"}}]


def theirs(promtool, rules, series, *, times, folder):
    """For each time and alert: labels to text of what fires."""
    file = folder / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "g", "interval": "15s", "rules": rules}]}))
    asked = [
        {"eval_time": f"{time}s", "alertname": rule["alert"], "exp_alerts": _NEVER}
        for time in times
        for rule in rules
    ]
    test = {"interval": "15s", "input_series": promtool.inputs(series)}
    told = promtool.run(folder / "tests.json", [{**test, "alert_rule_test": asked}], [file])
    found = [(name, _firing(promtool, text)) for name, text in _TEST.findall(told)]
    assert [each["alertname"] for each in asked] == [name for name, _ in found], told[:2000]
    return [dict(found[n : n + len(rules)]) for n in range(0, len(found), len(rules))]


def _firing(promtool, text):
    alerts = {}
    for labels, annotations in _ALERT.findall(text):
        said = dict(promtool.pairs(labels))
        del said["alertname"]
        alerts[tuple(sorted(said.items()))] = dict(promtool.pairs(annotations)).get("summary", "")
    return alerts


def ours(promtool, rules, series, *, times, folder):
    """The same of an alert service that takes the imported rules, and a point of each sample."""
    clock = HandClock(START_S * SECOND)
    store = StateStore.open(f"sqlite:///{folder}/state.db", clock)
    service = AlertService(store, channels=("console",), clock=clock)
    text = json.dumps({"groups": [{"name": "g", "interval": "15s", "rules": rules}]})
    imported = read_rules({"f": text})
    assert all(rule.runs for rule in imported), imported
    for rule in imported:
        rule.table["options"]["missing"] = "resolve"
        rule.table["flapping_window"] = 0
    service.declare(read_settings(toml_of(imported).encode()).alerts)
    found = {}
    for step in range(max(times) // promtool.INTERVAL_S + 1):
        now = clock.now()
        points = list(points_of(promtool, series, step, now=now))
        service.observe(Observed(service="shop", time=now, points=points, position=str(step)))
        found[step * promtool.INTERVAL_S] = fires(service, rules)
        clock.turn(promtool.INTERVAL_S)
    store.close()
    return [found[time] for time in times]


def points_of(promtool, series, step, *, now):
    for said, values in series:
        if values[step] is not None:
            name, _, rest = said.partition("{")
            labels = dict(promtool.pairs(rest))
            yield Point(metric=name, value=values[step], time=now, attributes=labels)


def fires(service, rules):
    firing = {rule["alert"]: {} for rule in rules}
    for watch in service._watches:
        for cell in watch.cells.values():
            if cell.episode.fired_at:
                labels = tuple(sorted((k, v) for k, v in cell.labels.items() if v))
                firing[watch.alert.name][labels] = cell.text
    return firing


@pytest.mark.timeout(1800)
def test_alerts_are_those_of_prometheus(promtool, drawn_alerts, is_whole, tmp_path):
    times = [n * promtool.INTERVAL_S for n in range(drawn_alerts.STEPS)]
    for seed in range(WORLDS[is_whole]):
        draw = drawn_alerts.DrawAlerts(Random(seed))
        world = draw.rules(), draw.series()
        folder = tmp_path / str(seed)
        folder.mkdir()
        expected = theirs(promtool, *world, times=times, folder=folder)
        found = ours(promtool, *world, times=times, folder=folder)

        for time, one, other in zip(times, expected, found, strict=True):
            for rule in world[0]:
                name = rule["alert"]
                assert one[name] == other[name], (seed, time, rule)
