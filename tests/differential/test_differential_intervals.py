"""Who is told at this moment is who a real Alertmanager tells: intervals drawn around now."""

import json
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random

import msgspec
import pytest

from qmon_agent.alerting.importing import import_config
from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.domain.alarms.intervals import closed_by
from qmon_agent.domain.clock import SECOND
from qmon_agent.settings.routing import RoutingOptions

ROUTES = {False: 150, True: 2_000}
PATIENCE_S = 60
QUIET_S = 2.0
"""So long nobody more is told: then all have been who will be."""
MINUTE_NS = 60 * SECOND


def beside(name):
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Hook(beside("hooks").Hook):
    """Keeps the paths it is asked for: each receiver has its own."""

    def __init__(self):
        self.told = set()
        super().__init__()

    def hear(self, path, _):
        self.told.add(path.strip("/"))

    def wait(self, expected):
        """Until they have been told, or a minute has passed, and then until it is quiet."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and not expected <= self.told:
            time.sleep(0.1)
        told = -1
        while time.monotonic() < deadline and told < len(self.told):
            told = len(self.told)
            time.sleep(QUIET_S)


def config_of(chance, routes, url):
    drawn = beside("drawn_intervals").DrawIntervals(chance, time.time())
    names = [f"i{n}" for n in range(routes)]
    branches = [{"receiver": "loud", "continue": True}]
    for name in names:
        how = chance.choice(["mute_time_intervals", "active_time_intervals"])
        listed = chance.sample(names, chance.choice([1, 1, 1, 2]))
        branches.append({"receiver": name, "continue": True, how: [name, *listed][: len(listed)]})
    receivers = [
        {"name": name, "webhook_configs": [{"url": url + name}]} for name in ["loud", *names]
    ]
    return {
        "route": {
            "receiver": "loud",
            "group_wait": "1ms",
            "group_interval": "1h",
            "routes": branches,
        },
        "receivers": receivers,
        "time_intervals": [{"name": name, "time_intervals": drawn.intervals()} for name in names],
    }


def ours(config, moments):
    """For each receiver whether it is told, where that is the same at all the moments."""
    imported = import_config(config)
    plan = make_plan(msgspec.convert(imported.routing, RoutingOptions), imported.channels)
    found = {}
    for branch in config["route"]["routes"]:
        mute = branch.get("mute_time_intervals", ())
        active = branch.get("active_time_intervals", ())
        says = {not closed_by(plan.intervals, at, mute=mute, active=active) for at in moments}
        if len(says) == 1:
            found[branch["receiver"]] = says.pop()
    return found


@pytest.fixture
def hook():
    hook = Hook()
    yield hook
    hook.shutdown()
    hook.server_close()


@pytest.mark.timeout(300)
def test_who_is_told_now_is_who_alertmanager_tells(hook, missing, is_whole):
    url = f"http://127.0.0.1:{hook.server_address[1]}/"
    config = config_of(Random(), ROUTES[is_whole], url)
    try:
        server = beside("alertmanagers").alertmanager(config)
    except sys.modules["servers"].NotInstalledError as error:
        missing(str(error))
    now = time.time_ns()
    expected = ours(config, range(now - MINUTE_NS, now + 3 * MINUTE_NS, MINUTE_NS))
    try:
        server.post("/api/v2/alerts", [{"labels": {"alertname": "a"}}])
        hook.wait({name for name, is_told in expected.items() if is_told})
    finally:
        server.stop()

    wrong = {
        name: [each for each in config["time_intervals"] if each["name"] == name]
        + [each for each in config["route"]["routes"] if each["receiver"] == name]
        for name, is_told in expected.items()
        if is_told != (name in hook.told)
    }
    assert not wrong, json.dumps(wrong, indent=1)
    told = list(expected.values()).count(True)
    assert len(expected) * 0.1 < told < len(expected) * 0.9
