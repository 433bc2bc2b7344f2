"""Lives of rules and notifier over a fixed story, forked off a nursery; each dies where it is told.

Every line of standard input is one `Life` as JSON, begun at once; what it says is a line of output.
"""

import asyncio
import json
import os
import signal
import sys
import time
import traceback

import msgspec

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.braking import make_brake
from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.silences import Silence
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.notify import AlertNotifier, Sending
from qmon_agent.notify.channels import CHANNELS
from qmon_agent.settings import AlertOptions
from qmon_agent.settings.oncall import OncallOptions
from qmon_agent.settings.routing import RoutingOptions
from qmon_agent.settings.storm import StormOptions
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Error, Point

ALERTS = [
    AlertOptions(name="hot", metric="temp", system="shop", threshold="> 5"),
    AlertOptions(name="held", metric="temp", system="shop", threshold="> 5 for 2s"),
    AlertOptions(name="new", rule="new_error"),
    AlertOptions(name="known", metric="temp", system="shop", threshold="> 5"),
]
TREE = {
    "receiver": "crew",
    "group_by": ["service"],
    "group_wait": "1s",
    "group_interval": "3s",
    "repeat_interval": "9s",
    "routes": [
        {
            "matchers": ["alertname=new"],
            "receiver": "chief",
            "group_by": ["alertname"],
            "continue": True,
        }
    ],
    "receivers": {
        "crew": {"channels": ["hook"], "escalate": [{"after": "5s", "channels": ["boss"]}]},
        "chief": {"channels": ["hook", "pager"]},
    },
}
WATCH = {
    "receiver": "watch",
    "group_by": ["service"],
    "group_wait": 0,
    "group_interval": "10m",
    "repeat_interval": "20m",
    "receivers": {"watch": {"oncall": ["night"]}},
    "routes": [{"matchers": ["alertname=held"], "mute_time_intervals": ["late"]}],
    "time_intervals": {
        "late": [
            {
                "times": [{"start_time": "02:00", "end_time": "03:00"}],
                "location": "Europe/Berlin",
            }
        ]
    },
}
NIGHT = {
    "people": {"ann": ["hook"], "bob": ["pager"]},
    "schedules": {
        "night": {
            "layers": [
                {
                    "people": ["ann", "bob"],
                    "starts": "2026-01-01",
                    "at": "02:30",
                    "turn": "days",
                    "zone": "Europe/Berlin",
                }
            ]
        }
    },
}
BRAKE = make_brake(StormOptions(messages=2, within="4s"))
EVERY = ("hook", "pager", "boss")
TO_ALL = {"receiver": "all", "group_by": ["service"], "group_wait": 0, "group_interval": "1h"}


class Life(msgspec.Struct, kw_only=True, frozen=True):
    """Where it works, what it lives through, and where it dies."""

    path: str
    urls: dict[str, str]
    begin: int
    tree: str = ""
    length: int = 28
    pace_s: int = 1
    step: str = ""
    at: int = 1
    timeout_s: float = 1.0
    lingers: bool = False
    """Whether it stays when all is told, until it is killed."""
    clock_s: float = 0.0
    storm: bool = False
    """Whether there is a brake so narrow that the story has storms."""
    steps_clock: bool = False
    """Whether its clock is set an hour on and then two hours back while it runs."""
    dsn: str = ""
    """Where its books are, if not in a file of SQLite at its path; it owns them then."""


def story(life):
    """The same batches in every life: a value that comes and goes, and a new error now and then."""
    for n in range(life.length):
        now = life.begin + n * life.pace_s * SECOND
        points = [Point(metric="temp", value=1.0 if _is_calm(n, life) else 9.0, time=now)]
        errors = [Error(type="E", grouping=f"g{n // 6}", time=now)] if n % 3 == 0 else []
        yield Observed(service="shop", time=now, points=points, errors=errors, position=str(n + 1))


def _is_calm(n, life):
    if life.tree == "watch":
        return n >= life.length - 3
    return n % 7 >= 4 and not (life.tree and n < 14)


def plan_of(life):
    if not life.tree:
        return None
    to_all = {**TO_ALL, "receivers": {"all": {"channels": list(life.urls)}}}
    tree = {"tree": TREE, "watch": WATCH, "every": to_all}[life.tree]
    oncall = msgspec.convert(NIGHT if life.tree == "watch" else {}, OncallOptions)
    return make_plan(msgspec.convert(tree, RoutingOptions), tuple(life.urls), oncall)


def judging(store, life, *, posted=lambda: None):
    """The rules as every life has them, in the story's time, and how to let them go on with it."""
    hand = HandClock(life.begin)
    hand.turn(max(int(store.incidents.position() or 0) - 1, 0) * life.pace_s)
    alerts = AlertService(store, channels=("hook",), clock=hand, posted=posted)
    silences = [] if life.tree != "tree" or alerts.muting.all() else [_silence(life)]
    for each in silences:
        alerts.muting.add(each)
    # In the order of the agent: who is told is known before anything is judged.
    alerts.tell(("hook",), plan_of(life), storm=BRAKE if life.storm else None)
    alerts.declare(ALERTS[:1] if life.tree == "every" else ALERTS)

    def observe(batch):
        hand.turn((batch.time - hand.now()) / SECOND)
        alerts.observe(batch)
        alerts.tick(batch.time)

    return alerts, observe


def _silence(life):
    known = parse_matchers("alertname=known")
    ends = life.begin + 15 * SECOND
    return Silence(id="known", matchers=known, starts_at=life.begin, ends_at=ends)


class Wall:
    """The machine's clock as a life sees it: some seconds off, and set while it runs."""

    def __init__(self, life):
        self._life, self.heard = life, 0

    def now(self):
        third = self.heard * 3 // self._life.length if self._life.steps_clock else 0
        off_s = self._life.clock_s + {0: 0, 1: 3_600, 2: -3_600, 3: -3_600}[third]
        return time.time_ns() + round(off_s * SECOND)


class Doomed:
    """Stands where something of ours is plugged in, and tells of the calls that pass by."""

    def __init__(self, real, doom):
        self._real, self._doom = real, doom

    def __getattr__(self, name):
        real = getattr(self._real, name)
        if name == "send":
            return self._sending(real)
        return self._calling(name, real) if name in {"write", "lease", "settle"} else real

    def _calling(self, name, real):
        def call(*args, **kwargs):
            self._doom(f"before-{name}", args[0], None)
            answer = real(*args, **kwargs)
            self._doom(f"after-{name}", args[0], answer)
            return answer

        return call

    def _sending(self, real):
        async def send(message):
            self._doom("before-send", message, None)
            delivery = await real(message)
            if delivery.outcome == "delivered":
                self._doom("after-send", message, delivery)
            return delivery

        return send


def doom_of(life):
    """Counts what concerns the step, and at the right one tells of it and dies."""
    passed = [0]

    def doom(here, told, answer):
        about = _about(here, told, answer)
        if here != life.step or not about:
            return
        passed[0] += 1
        if passed[0] == life.at:
            say(step=here, about=about)
            os.kill(os.getpid(), signal.SIGKILL)

    return doom


def _about(here, told, answer):
    """The keys, or the place in the story, that a step is about; nothing: it is about nothing."""
    if here.endswith("write"):
        return [told.position] if told.postings else []
    if here.endswith("lease"):
        return [each.key for each in answer or ()] if here == "after-lease" else [told]
    return [told.key]


async def live(life):
    wall, doom = Wall(life), doom_of(life)
    owner = f"life {os.getpid()}" if life.dsn else ""
    store = StateStore.open(life.dsn or f"sqlite:///{life.path}", wall, owner=owner)
    store.incidents = Doomed(store.incidents, doom)
    channels = {
        name: Doomed(CHANNELS.build("webhook", {"url": url, "timeout_s": life.timeout_s}), doom)
        for name, url in life.urls.items()
    }
    sending = Sending(first_s=0.02, most_s=0.1, at_once=3, timeout_s=60)
    notifier = AlertNotifier(Doomed(store.outbox, doom), channels, clock=wall, sending=sending)
    alerts, observe = judging(store, life, posted=notifier.wake)
    running = asyncio.create_task(notifier.run())
    say(step="alive", about=[])
    for batch in list(story(life))[int(alerts.resume() or 0) :]:
        await asyncio.to_thread(observe, batch)
        wall.heard = int(batch.position)
        await asyncio.sleep(0.005)
    alerts.checkpoint()
    if life.lingers:
        say(step="lived", about=[])
    while any(status in {"waiting", "leased"} for _, status in store.outbox.counts()):
        await asyncio.sleep(0.02)
    while life.lingers:
        await asyncio.sleep(1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    store.close()


def say(**words):
    os.write(1, json.dumps({"pid": os.getpid(), **words}).encode() + b"\n")


def bear(line):
    """Fork off one life; its end is told as well."""
    pid = os.fork()
    if not pid:
        try:
            asyncio.run(live(msgspec.json.decode(line, type=Life)))
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    say(step="ended", about=[os.waitstatus_to_exitcode(status)])


if __name__ == "__main__":
    CHANNELS.build("webhook", {"url": "http://127.0.0.1:1/"})
    import requests  # noqa: F401 - once for every life

    say(step="ready", about=[])
    for line in sys.stdin:
        bear(line)
