"""Log files followed: every line once, whatever happens to the file and to the agent."""

from __future__ import annotations

import asyncio
import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.ingest.log_lines import Origin, groups_of, signals_of
from qmon_agent.ingest.sources import SOURCES
from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.frames import decode_frame
from qmon_sdk.protocol.signals import Error, Log

ORIGIN = Origin(path="/var/log/shop.log", name="id", now=5)
TRACEBACK = """\
2026-01-02 03:04:05,678 ERROR shop: order failed
Traceback (most recent call last):
  File "/app/shop.py", line 7, in order
    pay()
  File "/app/shop.py", line 3, in pay
    raise ValueError("no card")
ValueError: no card

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/shop.py", line 9, in order
    raise RuntimeError("no order") from error
RuntimeError: no order
2026-01-02 03:04:06 INFO next
"""


def groups(text):
    lines = text.encode().splitlines()
    return [b"\n".join(lines[a:b]).decode() for a, b in groups_of(lines)]


def signals(text):
    return signals_of(text.encode().splitlines(), ORIGIN)


class TestGroups:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("", 0),
            ("a\nb\nc", 3),
            ("a\n  more\n\tmore\nb", 2),
            (TRACEBACK, 2),
            ("E x\nCaused by: y\n\tat z", 1),
            ("Traceback (most recent call last):\n  File x\nValueError\nnext\nnext", 3),
            ("a\n\nb", 3),
        ],
    )
    def test_are_lines_that_belong_together(self, text, number):
        assert number == len(groups(text))

    @given(st.lists(st.sampled_from(["a", " b", "Traceback (most recent call last):", "", "E: x"])))
    def test_are_all_the_lines_there_are(self, lines):
        found = [n for a, b in groups_of([one.encode() for one in lines]) for n in range(a, b)]

        assert [*range(len(lines))] == found


class TestLines:
    def test_with_a_traceback_are_a_log_and_an_error(self):
        log, error = signals(groups(TRACEBACK)[0])

        assert ("error", "2026-01-02 03:04:05,678 ERROR shop: order failed") == (
            log.level,
            log.body.splitlines()[0],
        )
        assert ("RuntimeError", "no order", "shop.order") == (
            error.type,
            error.message,
            error.culprit,
        )
        assert ["RuntimeError", "ValueError"] == [
            link["type"] for link in json.loads(error.stack)["chain"]
        ]
        assert 678_000_000 == log.time % 10**9 == error.time % 10**9

    def test_of_json_are_read_by_field(self):
        told = {
            "levelname": "WARNING",
            "msg": "slow",
            "@timestamp": "2026-01-02T03:04:05.5Z",
            "trace_id": "0AF7651916CD43DD8448EB211C80319C",
            "logger": "shop",
            "took": 1.5,
        }
        (log,) = signals(json.dumps(told))

        assert ("warn", "slow", "shop") == (log.level, log.body, log.logger)
        assert 1767323045_500000000 == log.time
        assert "0af7651916cd43dd8448eb211c80319c" == log.trace_id
        assert {"took": "1.5", "log.file.path": "/var/log/shop.log"} == log.attributes

    @pytest.mark.parametrize("time", ["7806-01-02T03:04:05Z", "0001-01-01 00:00:00", 1e300, "x"])
    def test_of_impossible_times_are_of_now(self, time):
        assert [5] == [one.time for one in signals(json.dumps({"time": time, "msg": "x"}))]

    def test_of_json_may_carry_a_traceback(self):
        stack = "Traceback (most recent call last):\n  File \"a.py\", line 1, in b\nKeyError: 'x'"
        log, error = signals(json.dumps({"level": 50, "msg": "bad", "exc_info": stack}))

        assert ("fatal", "KeyError", "'x'") == (log.level, error.type, error.message)

    @pytest.mark.parametrize(
        ("line", "level"),
        [
            ("[WARN] x", "warn"),
            ("panic: x", "fatal"),
            ("hello", "info"),
            ("no information", "info"),
            ('{"level": "nonsense"}', "info"),
            ("{broken", "info"),
        ],
    )
    def test_say_their_level(self, line, level):
        assert level == signals(line)[0].level

    @given(st.binary(max_size=200))
    def test_may_be_anything(self, data):
        for kind in (
            data,
            b'{"time": 1e400, "msg": ' + data,
            b"Traceback (most recent call last):\n" + data,
        ):
            for one in signals_of(kind.split(b"\n"), ORIGIN):
                assert isinstance(one, Log | Error)


class Following:
    """A source at work on one folder."""

    def __init__(self, taking, folder):
        self.taking = taking
        self.log = folder / "shop.log"
        self.options = {
            "files": [{"paths": [f"{folder}/*.log"], "service": "shop"}],
            "interval_s": 0.02,
            "from_beginning": True,
        }

    async def start(self):
        self.source = SOURCES.build("log_files", self.options)
        await self.source.start(self.taking.door())

    def write(self, text, mode="a"):
        with self.log.open(mode) as file:
            file.write(text)

    def bodies(self):
        frames = [decode_frame(record.payload) for record in self.taking.records()]
        rows = [row for frame in frames for block in frame.blocks for row in rows_of(block)]
        return [row.body for row in rows if isinstance(row, Log)]

    def times(self):
        return [row.time for row in self.taking.rows() if isinstance(row, Log)]

    async def until(self, *bodies):
        try:
            async with asyncio.timeout(10):
                while len(self.bodies()) < len(bodies):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass
        await asyncio.sleep(0.1)
        assert list(bodies) == self.bodies()


@pytest.fixture
async def following(taking, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    following = Following(taking, folder)
    following.write("")
    await following.start()
    yield following
    await following.source.stop()


class TestFiles:
    async def test_are_read_as_they_grow(self, following):
        following.write("one\ntwo\n")
        await following.until("one", "two")
        following.write("three\n")
        await following.until("one", "two", "three")

    @pytest.mark.parametrize("moment", ["", "2026-01-02T03:04:05.678Z ", "2026-01-02 03:04:05 "])
    async def test_are_kept_in_their_order_by_time(self, following, moment):
        lines = [f"{moment}line {number}" for number in range(40)]
        following.write("\n".join(lines[:30]) + "\n")
        await following.until(*lines[:30])
        following.write("\n".join(lines[30:]) + "\n")
        await following.until(*lines)

        times = following.times()
        assert times == sorted({*times})
        assert not moment or times[-1] - times[0] < 1_000

    async def test_are_read_by_whole_lines_and_groups(self, following):
        following.write("one\nhal")
        await following.until("one")
        following.write("f\n")
        await following.until("one", "half")

    async def test_that_are_renamed_are_read_to_their_end(self, following):
        following.write("one\n")
        await following.until("one")
        following.write("two\nunended")
        following.log.rename(f"{following.log}.1")
        following.write("three\n")

        await asyncio.sleep(0.5)
        assert {"one", "two", "unended", "three"} == set(following.bodies())
        assert 4 == len(following.bodies())

    async def test_that_are_copied_and_truncated_begin_anew(self, following):
        following.write("one\ntwo\n")
        await following.until("one", "two")
        shutil.copy(following.log, f"{following.log}.1")
        following.write("three\n", "w")

        await following.until("one", "two", "three")

    async def test_that_begin_anew_and_are_longer_by_then_are_known_by_their_beginning(
        self, following
    ):
        following.write("one\n")
        await following.until("one")
        following.write("another\nlonger\n", "w")

        await following.until("one", "another", "longer")

    async def test_that_come_later_are_read_from_their_beginning(self, following):
        following.log.with_name("other.log").write_text("one\n")

        await following.until("one")

    async def test_that_were_there_before_are_read_from_their_end(self, following):
        await following.source.stop()
        (following.taking.directory / "log_files.json").unlink()
        following.write("old\n")
        following.options["from_beginning"] = False
        await following.start()
        following.write("new\n")

        await following.until("new")


class TestPlaces:
    def places(self, following):
        return following.taking.directory / "log_files.json"

    async def test_outlive_the_agent(self, following):
        following.write("one\n")
        await following.until("one")
        await following.source.stop()
        following.write("two\n")
        following.log.rename(f"{following.log}.1")
        following.write("three\n")
        await following.start()

        await asyncio.sleep(0.5)
        assert ["one", "three", "two"] == sorted(following.bodies())

    async def test_of_a_part_that_was_stored_before_a_crash_double_nothing(self, following):
        following.write("one\ntwo\n")
        await following.until("one", "two")
        await following.source.stop()
        (place,) = json.loads(self.places(following).read_text())
        frames = [decode_frame(record.payload) for record in following.taking.records()]
        place["start"] = frames[-1].sequence - 1
        self.places(following).write_text(json.dumps([place]))
        following.write("three\n")
        await following.start()

        await following.until("one", "two", "three")
        assert following.taking.vitals.count("frames_duplicate")

    async def test_of_a_part_that_was_refused_lose_nothing(self, following):
        following.taking.admission.hold(1 << 30)
        following.write("one\n")
        await asyncio.sleep(0.1)
        following.taking.admission.release(1 << 30)

        await following.until("one")

    async def test_that_cannot_be_read_begin_anew(self, following):
        await following.source.stop()
        self.places(following).write_text("{nonsense")
        following.write("one\n")
        await following.start()

        await following.until("one")
