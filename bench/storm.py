"""Ten thousand incidents at once: how soon they are told, in how many messages, at what cost.

As many instances of two alerts cross their line in the same moment. A tree groups them by alert and
region and tells two channels; every incident has to be in exactly one message, as a real receiver
counts. Beside us Alertmanager, which is told of as many alerts in one request.
"""

from __future__ import annotations

import collections
import json
import os
import socket
import time
import urllib.request

from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import Frame, Resource, decode_ack, encode_frame, pack_length
from qmon_sdk.protocol.signals import Point

from .daemons import HOW, spent
from .daemons.alertmanager import Alertmanager
from .daemons.qmon import Qmon
from .figures import Figure, progress
from .receiver import receiving

ROUNDS = 3
INCIDENTS, QUICK = 10_000, 2_000
PROCESSES, REGIONS = 10, 50
ALERTS = ("hot", "full")
GROUPS = REGIONS * len(ALERTS)
WANTED_S, PATIENCE_S, QUIET_S = 5, 120, 3
SETTINGS = """
[channels.chat]
kind = "webhook"
url = "{url}"

[channels.pager]
kind = "webhook"
url = "{url}"

[routing]
receiver = "chat"
group_by = ["alertname", "region"]
group_wait = "1s"
routes = [{{ matchers = ["alertname=full"], receiver = "pager" }}]

[[alerts]]
name = "hot"
metric = "hot"
threshold = "> 5"

[[alerts]]
name = "full"
metric = "full"
threshold = "> 5"
"""
NOTE = (
    "100 groups, by us each told once; `group_wait` is a second in both, and is in the time. "
    "Alertmanager gets its alerts ready made, in one request; we judge as many series."
)


def storm(*, quick=False):
    """Rows: time, messages, processor time, memory."""
    count, ours, theirs = QUICK if quick else INCIDENTS, [], []
    for number in range(1 if quick else ROUNDS):
        ours.append(_ours(count))
        progress(f"storm {number + 1}: {_said(ours[-1])}")
        if Alertmanager.is_here():
            theirs.append(_theirs(count))
            progress(f"storm {number + 1}: alertmanager {_said(theirs[-1])}")
        else:
            progress(f"storm: alertmanager is left out ({HOW[Alertmanager.program]})")
    return _figures(count, ours, theirs)


def _ours(count):
    with receiving() as receiver:
        settings = SETTINGS.format(url=receiver.address("ours"))
        with Qmon(settings=settings) as qmon:
            speakers = [
                _Speaker(qmon.agent.socket, n, count // PROCESSES) for n in range(PROCESSES)
            ]
            _say(speakers, 1.0)
            qmon.settled("points", {"sent": count})
            before, resident = spent([qmon.main]), qmon.main.memory_info().rss
            begun = time.perf_counter()
            _say(speakers, 9.0)
            took = _told(receiver, "ours", count=count, begun=begun)
            grown = qmon.main.memory_info().rss - resident
            return took, spent([qmon.main]) - before, resident / 1e6, grown / 1e6


def _theirs(count):
    with (
        receiving() as receiver,
        Alertmanager(
            url=receiver.address("theirs"), group_by=["alertname", "region"], group_wait="1s"
        ) as peer,
    ):
        before, resident = spent(peer.family()), peer.process.memory_info().rss
        alerts = [{"labels": {"alertname": _alert(n), **_labels(n)}} for n in range(count)]
        body = json.dumps(alerts).encode()
        begun = time.perf_counter()
        asked = urllib.request.Request(
            f"http://127.0.0.1:{peer.port}/api/v2/alerts", body,
            {"content-type": "application/json"},
        )  # fmt: skip
        urllib.request.urlopen(asked, timeout=PATIENCE_S).read()
        took = _told(receiver, "theirs", count=count, begun=begun)
        grown = peer.process.memory_info().rss - resident
        return took, spent(peer.family()) - before, resident / 1e6, grown / 1e6


def _told(receiver, path, *, count, begun):
    """Seconds until everyone was named; of ours, each incident has to be in exactly one message."""
    receiver.wait(path, GROUPS, patience_s=PATIENCE_S)
    time.sleep(QUIET_S)  # one too many would come now
    messages = sorted(receiver.got(path), key=lambda each: each[1])
    named, last = collections.Counter(), 0.0
    for body, at in messages:
        if len(named) < count:
            last = at
        named.update(each["labels"]["n"] for each in body["alerts"])
    is_once = len(messages) == GROUPS and named.total() == count
    if len(named) != count or (path == "ours" and not is_once):
        raise AssertionError(
            f"{len(messages)} messages instead of {GROUPS} name {len(named)} of {count}, "
            f"{named.total()} times"
        )
    if not is_once:
        progress(f"storm: {path} in {len(messages)} messages, which name {named.total():,}")
    return last - begun


def _alert(number):
    return ALERTS[number % len(ALERTS)]


def _labels(number):
    return {"region": f"region {number // len(ALERTS) % REGIONS}", "n": str(number)}


def _say(speakers, value):
    """All at once, and wait until all of it is on disk."""
    for speaker in speakers:
        speaker.say(value)
    for speaker in speakers:
        speaker.hear()


class _Speaker:
    """One instrumented process of those whose numbers are bad."""

    def __init__(self, path, number, each):
        self.numbers = range(number * each, (number + 1) * each)
        self.resource = Resource(service="bench", host="box", pid=number + 1, started=number + 1)
        self.process, self.sequence = os.urandom(16), 0
        self.link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self.link.settimeout(60)
        self.link.connect(str(path))

    def say(self, value):
        """Tell of each of its series."""
        now = time.time_ns()
        points = [
            Point(time=now, metric=_alert(n), value=value, attributes=_labels(n))
            for n in self.numbers
        ]
        self.sequence += 1
        frame = Frame(
            process=self.process, sequence=self.sequence, sent=now, resource=self.resource,
            blocks=(block_of("point", points),),
        )  # fmt: skip
        self.link.send(pack_length(encode_frame(frame)))

    def hear(self):
        """Wait until it is acknowledged."""
        decode_ack(self.link.recv(1 << 16)[4:])


def _said(run):
    took, cost, resident, grown = run
    return (
        f"all told in {took:.2f} s, {cost:.2f} s of a core, {resident:.0f} MB and {grown:.0f} more"
    )


def _figures(count, ours, theirs):
    what = f"{count:,} incidents at once, in {GROUPS} messages"
    columns = [*zip(*ours, strict=True)]
    peers = [*zip(*theirs, strict=True)] or [()] * len(columns)
    units = (
        ("until the last is received", "s", 2, ("<=", WANTED_S)),
        ("processor time, main process", "s", 2, None),
        ("resident before, main process", "MB", 0, None),
        ("resident, how much more", "MB", 0, None),
    )
    return [
        Figure(
            what=f"{what}: {words}", ours=[*values], unit=unit, digits=digits, wanted=wanted,
            beside={"alertmanager": [*other]} if other else {}, note=NOTE,
        )
        for (words, unit, digits, wanted), values, other in zip(units, columns, peers, strict=True)
    ]  # fmt: skip


CASES = {"storm": storm}
