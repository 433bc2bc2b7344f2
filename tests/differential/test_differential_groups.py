"""Groups are told when, and with what, a real Alertmanager tells them; it takes its time."""

import json
import os
import sys
import time
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random

import pytest

from qmon_agent.domain.alarms.calling import Endpoint
from qmon_agent.domain.alarms.groups import Alarm, dispatch, next_due
from qmon_agent.domain.alarms.route_tree import Branch, plant

WHOLE = os.environ.get("QMON_DIFFERENTIAL") == "all"
WAIT_S, INTERVAL_S, REPEAT_S = 2, 6, 14
STEPS = 8
ROOT = plant(
    Branch(
        receiver="hook",
        group_by=("g",),
        group_wait_ns=WAIT_S,
        group_interval_ns=INTERVAL_S,
        repeat_interval_ns=REPEAT_S,
    )
)


def beside(name):
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Hook(beside("hooks").Hook):
    """Keeps what it is told: of each group, the alerts and how they stand."""

    def __init__(self):
        self.told = []
        super().__init__()

    def hear(self, _, body):
        said = json.loads(body)
        alerts = {(each["labels"]["name"], each["status"]) for each in said["alerts"]}
        self.told.append((said["groupLabels"]["g"], frozenset(alerts)))


def story(chance):
    """Every six seconds, in the middle between two looks: what begins and ends then."""
    firing, steps = set(), []
    for _ in range(STEPS):
        changes = {}
        for name in chance.sample(["a1", "a2"], chance.randint(0, 2)):
            changes[name] = name not in firing
            firing ^= {name}
        steps.append(changes)
    return [{"a1": True}, *steps]


def ours(steps):
    groups, told, began = {}, [], {}
    for number, changes in enumerate(steps):
        now, end = 5 + number * INTERVAL_S, 5 + (number + 1) * INTERVAL_S
        news = []
        for name, fires in changes.items():
            began[name] = now if fires else began[name]
            labels = {"g": name[0], "name": name}
            ended = 0 if fires else now
            news.append(Alarm(id=name, labels=labels, starts_at=began[name], resolved_at=ended))
        while True:
            groups, said = dispatch(
                groups, news, now, root=ROOT, receivers={"hook": (Endpoint(channel="hook"),)}
            )
            news = []
            told += [
                (
                    each.key[1][0][1],
                    frozenset((a.id, "firing" if a.fires else "resolved") for a in each.alarms),
                )
                for each in said
            ]
            due = next_due(groups)
            if due is None or due >= end:
                break
            now = due
    return told


def theirs(server, hook, steps):
    began = {}
    start = time.monotonic()
    for number, changes in enumerate(steps):
        moment = datetime.now(UTC).isoformat()
        alerts = []
        for name, fires in changes.items():
            began[name] = moment if fires else began[name]
            alert = {"labels": {"g": name[0], "name": name}, "startsAt": began[name]}
            alerts.append(alert if fires else {**alert, "endsAt": moment})
        if alerts:
            server.post("/api/v2/alerts", alerts)
        time.sleep(max(0.0, start + (number + 1) * INTERVAL_S - time.monotonic()))
    return hook.told


@pytest.fixture
def hook():
    hook = Hook()
    yield hook
    hook.shutdown()
    hook.server_close()


def test_a_story_is_told_by_us_at_all():
    told = ours([{"a1": True}, {"a2": True}, {"a1": False}, {"a2": False}, {}])

    assert [1, 2, 2, 1] == [len(alerts) for _, alerts in told]


if WHOLE:  # a minute each, and only on a machine that is never late by seconds

    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("seed", range(4))
    def test_a_story_is_told_as_alertmanager_tells_it(seed, hook, missing):
        steps = story(Random(seed))
        waits = {"group_wait": f"{WAIT_S}s", "group_interval": f"{INTERVAL_S}s"}
        route = {"receiver": "hook", "group_by": ["g"], "repeat_interval": f"{REPEAT_S}s", **waits}
        url = f"http://127.0.0.1:{hook.server_address[1]}/"
        receivers = [{"name": "hook", "webhook_configs": [{"url": url}]}]
        try:
            server = beside("alertmanagers").alertmanager({"route": route, "receivers": receivers})
        except sys.modules["servers"].NotInstalledError as error:
            missing(str(error))
        try:
            told = theirs(server, hook, steps)
        finally:
            server.stop()

        assert ours(steps) == told
