"""What a core takes through a processor: frames read, judged, and made again, all but the disk."""

from __future__ import annotations

import os
import random
import statistics
import time

from qmon_agent.app.passage import Passage
from qmon_agent.domain.clock import HandClock
from qmon_agent.ingest.chain import Chain
from qmon_agent.ingest.declared import make_steps
from qmon_agent.ingest.passing import Framer
from qmon_agent.journal import Position, Record
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame
from qmon_sdk.protocol.signals import Log, Point, Span

from .figures import Figure, progress

ROUNDS = 5
FRAMES, QUICK_FRAMES = 100, 20
TRACES, SPANS = 100, 10  # in a frame
SECOND = 1_000_000_000
TAIL_WANTED = 50_000
NOTE = (
    "A core is a second of processor time of the walk's thread: decoding, the processor, and the "
    "frames that come of it, without the two journals. Traces of ten spans, 1,000 spans a frame; "
    "of `sample` a twentieth is kept by chance, and all is counted."
)


class Nowhere:
    """Keeps nothing."""

    def seen(self, *_):
        return False

    def keep(self, frames):
        pass


def spans(chance, number):
    """Whole traces, their roots last, with the attributes of a request."""
    for n in range(TRACES):
        trace_id, root = os.urandom(16).hex(), os.urandom(8).hex()
        route = f"/route/{n % 20}"
        for inner in range(SPANS - 1):
            yield Span(
                time=number * SECOND, trace_id=trace_id, span_id=os.urandom(8).hex(),
                parent_id=root, name=f"step {inner}", duration_ns=chance.randrange(10**6),
            )  # fmt: skip
        yield Span(
            time=number * SECOND, trace_id=trace_id, span_id=root, name=f"GET {route}",
            kind="server", duration_ns=chance.randrange(10**6, 10**7),
            attributes={
                "http.request.method": "GET", "http.route": route,
                "http.response.status_code": "200",
            },
        )  # fmt: skip


def logs(chance, number):
    for n in range(TRACES * SPANS):
        yield Log(time=number * SECOND + n, level="info", body=f"line {chance.randrange(500)}")


def points(chance, number):
    for n in range(TRACES * SPANS):
        yield Point(
            time=number * SECOND, metric=f"metric.{n % 50}", kind="counter",
            value=chance.random(), attributes={"route": f"/route/{n % 20}"},
        )  # fmt: skip


LOADS = {
    "sample, tail": (spans, {"kind": "sample", "mode": "tail", "rate": 0.05}, TAIL_WANTED),
    "sample, head": (spans, {"kind": "sample", "rate": 0.05}, None),
    "rate_limit": (spans, {"kind": "rate_limit", "per_s": 100}, None),
    "deduplicate": (logs, {"kind": "deduplicate"}, None),
    "aggregate": (points, {"kind": "aggregate"}, None),
}


def measured(*, quick=False):
    """A row for each processor."""
    for what, (load, table, wanted) in LOADS.items():
        records = [*made(load, QUICK_FRAMES if quick else FRAMES)]
        rounds = 1 if quick else ROUNDS
        ours = [through(table, records) for _ in range(rounds)]
        progress(f"processors: {what}: {statistics.median(ours):,.0f} a second and core")
        yield Figure(
            what=f"{what}: {load.__name__} a second and core",
            ours=ours,
            wanted=(">=", wanted) if wanted else None,
            note=NOTE,
        )


def made(load, count):
    """Records a second apart."""
    chance = random.Random(1)
    for number in range(1, count + 1):
        frame = Frame(
            process=b"p" * 16, sequence=number, resource=Resource(service="bench"),
            blocks=blocks_of([*load(chance, number)]),
        )  # fmt: skip
        yield Record(
            record_id=number, time=number * SECOND, process=b"p" * 16, sequence=number,
            payload=encode_frame(frame), position=Position(record_id=number),
        )  # fmt: skip


def through(table, records):
    """Signals a second of processor time."""
    passage = Passage(
        Chain(make_steps([table])), keeps=Nowhere(), framer=Framer(b"a" * 16),
        clock=HandClock(0), vitals=Vitals(),
    )  # fmt: skip
    begun = time.thread_time_ns()
    for record in records:
        passage([record])
    passage.finish()
    return len(records) * TRACES * SPANS * 1e9 / (time.thread_time_ns() - begun)


CASES = {"processors": measured}
