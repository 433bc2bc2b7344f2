"""A question about a stretch of time: of files that have nothing of it, none is opened."""

import random
import time

import pytest

from qmon_agent.domain.clock import SystemClock
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry.asked import ask_for
from qmon_agent.store.telemetry.engine import Question, open_engine
from qmon_agent.store.telemetry.following import Follower
from qmon_agent.store.telemetry.manifest import load
from qmon_agent.store.telemetry.options import Scrubbing
from qmon_agent.store.telemetry.watch import Watch
from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame
from qmon_sdk.protocol.signals import Span

NS, HOUR, DAYS = 10**9, 3_600, 4
END = 1_795_046_400  # a midnight
NOW = END * NS


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A store with a segment of spans for each of some days, and the last day in the hot file."""
    room = tmp_path_factory.mktemp("days")
    journal = Journal.open(room / "journal", options=JournalOptions(), clock=SystemClock())
    engine = opened(room)
    follower = Follower(room / "journal", engine, bury=lambda *_: None)
    for day in range(DAYS, 0, -1):
        journal.append(frame_of(day), process=bytes(16), sequence=DAYS + 1 - day)
        follower.follow(journal.commit(), max_bytes=1 << 20)
        while day > 1 and engine.exported != engine.stored:
            engine.tend(now=time.time_ns(), everything=True)
    follower.close()
    engine.close()
    journal.close()
    return room


def opened(room):
    return open_engine(
        TelemetryOptions(
            directory=str(room / "store"),
            journal=str(room / "journal"),
            scrubbing=Scrubbing(is_on=False),
        )
    )


def frame_of(day):
    begin = (END - day * 86_400) * NS
    spans = [
        Span(time=begin + n * 600 * NS, name="GET /", kind="server", trace_id=f"{n % 7:x}")
        for n in range(144)
    ]
    return encode_frame(
        Frame(
            process=bytes(16),
            sequence=DAYS + 1 - day,
            resource=Resource(service="shop"),
            blocks=(block_of("span", spans),),
        )
    )


@pytest.fixture
def engine(directory):
    engine = opened(directory)
    yield engine
    engine.close()


def answered(engine, name, said, *, is_told=True):
    asked = ask_for(name, said, now=NOW)
    within = asked.definition.within() if is_told else None
    question = Question(sql=asked.sql, limit=10_000, timeout_s=30.0, within=within)
    return engine.ask(question, Watch()).rows


def test_an_export_that_ends_while_it_is_looked_for_is_not_made_twice(tmp_path):
    journal = Journal.open(tmp_path / "journal", options=JournalOptions(), clock=SystemClock())
    engine = opened(tmp_path)
    follower = Follower(tmp_path / "journal", engine, bury=lambda *_: None)
    for number in range(1, 7):
        journal.append(frame_of(1), process=bytes(16), sequence=number)
        follower.follow(journal.commit(), max_bytes=1 << 20)
        while engine.exported != engine.stored:
            engine.tend(now=time.time_ns(), everything=True)
    follower.close()
    engine.close()
    journal.close()
    files = [each.file for each in load(tmp_path / "store").segments]

    assert len(set(files)) == len(files)


class TestAQuestionOfAStretch:
    def test_has_the_answer_of_one_that_opens_everything(self, engine):
        dice = random.Random(9)
        for _ in range(40):
            begin, hours = dice.randrange(24 * DAYS), dice.choice((1, 6, 24, 30, 80))
            until = f"{max(0, 24 * DAYS - begin - hours)}h"
            name = dice.choice(("latency_by_route", "requests_by_route", "slowest_spans"))
            said = {"since": f"{24 * DAYS - begin}h", "until": until}

            assert answered(engine, name, said) == answered(engine, name, said, is_told=False)

    def test_opens_no_file_of_another_day(self, engine, directory):
        first = next(each for each in load(directory / "store").segments if each.table == "spans")
        path = directory / "store" / first.file
        path.rename(path.with_suffix(".away"))
        try:
            rows = answered(engine, "requests_by_route", {"since": "36h", "step": "1h"})
        finally:
            path.with_suffix(".away").rename(path)

        assert (36, ()) == (len(rows), load(directory / "store").damaged)

    def test_of_a_trace_looks_everywhere_unless_it_is_told_when(self, engine):
        everywhere = answered(engine, "trace", {"trace_id": "3"})
        near = answered(engine, "trace", {"trace_id": "3", "near": "60h", "around": "70m"})

        assert (21 * DAYS, 2) == (len(everywhere), len(near))
