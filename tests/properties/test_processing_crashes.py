"""Killed at any moment, what holds signals back tells of each once: kept, counted, or folded."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qmon_agent.app.passage import Passage
from qmon_agent.domain.clock import HandClock
from qmon_agent.ingest.chain import Chain
from qmon_agent.ingest.declared import make_steps
from qmon_agent.ingest.foreign import dropped_of
from qmon_agent.ingest.passing import Framer
from qmon_agent.journal import START, Position, Record
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.columns import blocks_of, rows_of
from qmon_sdk.protocol.frames import Frame, Resource, decode_frame, encode_frame
from qmon_sdk.protocol.signals import Log, Point, Span

TABLES = [
    {"kind": "deduplicate", "within_s": 20},
    {"kind": "sample", "mode": "tail", "rate": 0.3, "rare_s": 0, "floor_per_minute": 1},
    {"kind": "rate_limit", "per_s": 2, "match": {"kind": "span", "status": "unset"}},
    {"kind": "aggregate", "match": {"kind": "point"}},
]
PROCESS = b"p" * 16
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.integers(0, 5), st.sampled_from(["unset", "error"])),
        st.tuples(st.just("record"), st.integers(0, 5), st.just("unset")),
        st.tuples(st.just("wait"), st.sampled_from([1, 6, 12, 40])),
        st.tuples(st.just("kill"), st.integers(0, 6), st.booleans()),
    ),
    min_size=4,
    max_size=20,
)


class KilledError(Exception):
    """Here and now."""


class Disk:
    """Where frames are kept; the first of a name stays."""

    def __init__(self):
        self.payloads = {}
        self.left = None

    def seen(self, process, sequence):
        return (process, sequence) in self.payloads

    def keep(self, frames):
        for each in sorted(frames, key=lambda one: one.is_last):
            if self.left == 0:
                raise KilledError
            self.left = None if self.left is None else self.left - 1
            self.payloads.setdefault((each.process, each.sequence), each.payload)

    def rows(self, kind):
        blocks = (b for one in self.payloads.values() for b in decode_frame(one).blocks)
        return [row for block in blocks if block.kind == kind for row in rows_of(block)]

    def dropped(self):
        told = Counter()
        for payload in self.payloads.values():
            told.update(dropped_of(decode_frame(payload)))
        return told


class Life:
    """An agent's processors, their arrivals, and the place that was saved last."""

    def __init__(self):
        self.disk, self.clock = Disk(), HandClock()
        self.records, self.saved, self.kills = [], START, -1
        self.begin()

    def begin(self):
        self.disk.left = None
        self.kills += 1
        chain = Chain(make_steps(TABLES))
        self.passage = Passage(
            chain, keeps=self.disk, framer=Framer(b"a" * 16), clock=self.clock, vitals=Vitals()
        )
        self.feed(self.records[self.saved.record_id :])

    def kill(self, after, is_saved):
        """After so many frames more, or now if it is to be after none."""
        if is_saved:
            self.saved = max(self.saved, self.passage.passed)
        self.disk.left = after
        if not after:
            raise KilledError

    def arrive(self, signals):
        number = len(self.records) + 1
        frame = Frame(
            process=PROCESS, sequence=number, resource=Resource(service="shop"),
            blocks=blocks_of(signals),
        )  # fmt: skip
        record = Record(
            record_id=number, time=self.clock.now(), process=PROCESS, sequence=number,
            payload=encode_frame(frame), position=Position(record_id=number),
        )  # fmt: skip
        self.records.append(record)
        self.feed([record])

    def feed(self, records):
        for record in records:
            self.passage([record])

    def wait(self, seconds):
        self.clock.turn(seconds)
        self.passage.tick()


@pytest.fixture(scope="module")
def lived(sifting):
    """A life with these actions in it, and everything let go at its end."""

    def live(actions):
        life, came = Life(), []
        for action, *told in actions:
            try:
                if action == "record":
                    came += (signals := made_of(sifting, len(life.records), *told))
                    life.arrive(signals)
                elif action == "wait":
                    life.wait(*told)
                else:
                    life.kill(*told)
            except KilledError:
                life.begin()
        life.begin()
        life.passage.finish()
        return life, came

    return live


def made_of(sifting, number, trace, status):
    """A record of a whole trace, of a part of one that others share, of logs and of points."""
    whole = sifting.a_trace(1_000 + number * 0x9E3779B97F4A7C15 % (1 << 56), 2)
    *inner, root = sifting.a_trace(trace + 1, 4, status=status)
    shared = inner if trace % 2 and status == "unset" else [*inner, root]
    own = (span.replace(span_id=f"{number:08x}{span.span_id[8:]}") for span in shared)
    points = [Point(metric="m", kind="counter", value=float(number))]
    return [*whole, *own, Log(body=f"line {trace}"), *points]


def of_kind(signal, signals):
    return [each for each in signals if isinstance(each, signal)]


class TestKilledAtAnyMoment:
    @settings(max_examples=40)
    @given(ACTIONS)
    @example([("record", 1, "unset"), ("wait", 12), ("kill", 0, True)])
    @example(
        2 * [("record", 0, "unset"), ("wait", 12)]
        + [("record", 0, "unset"), ("wait", 6), ("kill", 0, True)]
    )
    def test_each_signal_is_kept_or_counted_once(self, lived, actions):
        life, came = lived(actions)

        spans, lost = life.disk.rows("span"), life.disk.dropped()
        ids = Counter((each.trace_id, each.span_id) for each in spans)
        failed = {(s.trace_id, s.span_id) for s in of_kind(Span, came) if s.status == "error"}
        assert set(ids.values()) <= {1}
        assert failed <= ids.keys()
        assert len(of_kind(Span, came)) == len(spans) + sum_of(lost, "span/")
        logs = [each for each in life.disk.rows("log") if "qmon.repeated" not in each.attributes]
        assert len(of_kind(Log, came)) == len(logs) + sum_of(lost, "log/")

    @settings(max_examples=40)
    @given(ACTIONS)
    def test_what_is_folded_is_everything_that_came(self, lived, actions):
        life, came = lived(actions)

        points, logs = life.disk.rows("point"), life.disk.rows("log")
        roots = [each for each in of_kind(Span, came) if not each.parent_id]
        counted = sum(each.count for each in points if each.metric != "m")
        assert len(roots) == counted
        sums = [
            sum(p.value for p in some if p.metric == "m") for some in (points, of_kind(Point, came))
        ]
        assert sums[0] == sums[1]
        repeated = sum(int(each.attributes.get("qmon.repeated", 1)) for each in logs)
        assert 0 <= len(of_kind(Log, came)) - repeated <= 6 * life.kills


def sum_of(lost, kind):
    return sum(number for name, number in lost.items() if name.startswith(kind))
