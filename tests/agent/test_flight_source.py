"""Rings of processes that live, leave, die: which are taken, once, and what is stored of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from qmon_agent.ingest.flight.claim import claim
from qmon_agent.ingest.flight.folders import Found
from qmon_agent.ingest.flight.owners import facts_of, pid_namespace
from qmon_agent.ingest.sources import SOURCES
from qmon_sdk.protocol import flight
from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.flight import agent_of
from qmon_sdk.protocol.frames import decode_frame
from qmon_sdk.protocol.signals import Event

# It locks and maps a ring as the SDK does, and then does what it is told to.
OWNER = """
import ctypes, fcntl, mmap, os, signal, sys
print(flush=True)
ring = os.open(sys.stdin.readline().strip(), os.O_RDWR)
fcntl.lockf(ring, fcntl.LOCK_EX)
memory = mmap.mmap(ring, 0)
print(flush=True)
for line in sys.stdin:
    exec(line)
    print(flush=True)
"""
MIB = 1 << 20


class Owner:
    """A process with a ring."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.process.stdout.readline()
        self.head = {
            "pid": self.process.pid,
            "started": facts_of(self.process.pid).started,
            "namespace": pid_namespace(),
        }

    def begin(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def do(self, line):
        self.begin(line)
        return self.process.stdout.readline()

    def die(self, line):
        self.do(line)
        return self.process.wait()


class Rings:
    """A folder of rings with a source that watches it."""

    def __init__(self, taking, folder, drawn_ring):
        self.taking, self.folder, self.drawn_ring = taking, folder, drawn_ring
        self.agent = agent_of(str(taking.door().socket))
        self.owners = []

    def owner(self, draw=lambda ring: None, **head):
        """A living process with a ring that `draw` has drawn into."""
        owner = Owner()
        self.owners.append(owner)
        ring = self.drawn_ring(os.urandom(16), **{**owner.head, **head})
        draw(ring)
        owner.ring = ring.write(self.folder, self.agent)
        owner.do(owner.ring)
        return owner

    def left(self):
        return sorted(path.name for path in self.folder.iterdir())

    def signals(self, kind):
        frames = [decode_frame(record.payload) for record in self.taking.records()]
        blocks = [block for frame in frames for block in frame.blocks if block.kind == kind]
        return [row for block in blocks for row in rows_of(block)]

    def ledger(self):
        return decode_frame(self.taking.records()[-1].payload).ledger

    async def emptied(self):
        async with asyncio.timeout(20):
            while any(name.endswith(".ring") for name in self.left()):
                await asyncio.sleep(0.01)

    async def error(self):
        """The one error, once every ring is taken."""
        await self.emptied()
        (error,) = self.signals("error")
        return error


@pytest.fixture
def rings(taking, tmp_path, drawn_ring):
    rings = Rings(taking, tmp_path / "flight", drawn_ring)
    yield rings
    for owner in rings.owners:
        owner.process.kill()
        owner.process.communicate()


@pytest.fixture
async def source(taking, request):
    source = SOURCES.build("flight", {"interval_s": getattr(request, "param", 0.2)})
    await source.start(taking.door())
    yield source
    await source.stop()


async def seen(source, count=1):
    """Wait until so many rings are known to be in use, and their processes watched."""
    async with asyncio.timeout(20):
        while source.describe()["rings"] < count:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)


def busy(ring):
    """Some of everything."""
    ring.person(5, "ada", "s1")
    ring.session("s1", "ada", errors=2)
    ring.hold(Event(name="paid"), sequence=3)
    ring.span("query", span=11, took=1000, who=5)
    ring.log(body="paying")
    ring.crumb('{"message": "clicked"}')
    ring.crumb('{"torn": ')
    ring.sample(0, ring.resource.started + 10**9, rss=240 * MIB, cpu=7)
    ring.open("GET /pay", kind="server", span=21, who=5, text="GET /pay")
    ring.open("charge", span=22, parent=21, start=ring.resource.started + 5, inherits=True)


class TestLivingProcess:
    async def test_keeps_its_ring(self, rings, source):
        owner = rings.owner(busy)
        await seen(source)
        await asyncio.sleep(0.5)

        assert [owner.ring.name] == rings.left()

    async def test_keeps_it_after_a_sweep_through_its_descriptors(self, rings, source):
        owner = rings.owner(busy)
        owner.do("os.closerange(3, 100)")
        await seen(source)
        await asyncio.sleep(0.5)

        assert [owner.ring.name] == rings.left()

    async def test_dies_of_something_after_such_a_sweep(self, rings, source):
        owner = rings.owner(busy)
        owner.do("os.closerange(3, 100)")
        await seen(source)
        owner.process.kill()

        assert "KilledBySIGKILL" == (await rings.error()).type

    async def test_dies_not_when_it_becomes_another_program(self, rings, source):
        owner = rings.owner(busy)
        await seen(source)
        owner.begin("os.execv('/bin/sleep', ['sleep', '60'])")
        await rings.emptied()

        assert not rings.signals("error")
        assert ["abnormal"] == [one.status for one in rings.signals("session")]
        assert owner.process.poll() is None


ENDS = {
    "os.kill(os.getpid(), signal.SIGKILL)": ("KilledBySIGKILL", "SIGKILL"),
    "ctypes.string_at(0)": ("SegmentationFault", "SIGSEGV"),
    "os.abort()": ("Aborted", "SIGABRT"),
    "os.kill(os.getpid(), signal.SIGXCPU)": ("CpuTimeExceeded", "SIGXCPU"),
    "os.kill(os.getpid(), signal.SIGUSR1)": ("KilledBySIGUSR1", "SIGUSR1"),
    "os.kill(os.getpid(), signal.SIGTERM)": ("TerminatedBySIGTERM", "SIGTERM"),
    "os._exit(3)": ("ExitedAbruptly", ""),
}


class TestDeath:
    @pytest.mark.parametrize("end", ENDS)
    async def test_is_told_by_its_cause(self, end, rings, source):
        owner = rings.owner(busy)
        await seen(source)
        owner.die(end)
        error = await rings.error()

        assert ENDS[end] == (error.type, error.attributes.get("death.signal", ""))

    async def test_stores_everything_that_was_recorded(self, rings, source):
        rings.owner(busy).process.kill()
        await rings.emptied()
        stored = {kind: len(rings.signals(kind)) for kind in ("span", "log", "event", "session")}

        assert {"span": 3, "log": 1, "event": 1, "session": 1} == stored
        assert {**stored, "error": 1} == rings.ledger().captured

    async def test_ends_the_session_as_crashed(self, rings, source):
        rings.owner(busy).process.kill()
        await rings.emptied()
        (session,) = rings.signals("session")

        assert ("crashed", "s1", "ada", 3) == (
            session.status, session.session_id, session.user_id, session.errors,
        )  # fmt: skip
        assert session.duration_ns > 0

    async def test_ends_a_session_of_the_process_where_nobody_had_one(self, rings, source):
        rings.owner().process.kill()
        await rings.emptied()
        (session,) = rings.signals("session")

        assert ("crashed", {"mode": "process"}) == (session.status, session.attributes)

    @pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGTERM)", "os._exit(0)"])
    async def test_in_the_middle_of_work_is_an_abnormal_end(self, end, rings, source):
        owner = rings.owner(lambda ring: ring.open("GET /pay", span=21))
        await seen(source)
        owner.die(end)
        await rings.emptied()
        (session,) = rings.signals("session")

        assert ("abnormal", {"mode": "process"}) == (session.status, session.attributes)

    async def test_leaves_open_spans_as_errors(self, rings, source):
        rings.owner(busy).process.kill()
        await rings.emptied()
        opened = {s.name: s for s in rings.signals("span") if "qmon.open" in s.attributes}

        assert {"GET /pay": "error", "charge": "error"} == {n: s.status for n, s in opened.items()}
        assert "/pay" == opened["GET /pay"].attributes["url.path"]
        assert opened["GET /pay"].trace_id == opened["charge"].trace_id

    async def test_is_about_the_innermost_span(self, rings, source):
        rings.owner(busy).process.kill()
        error = await rings.error()

        assert (f"{22:016x}", "ada", "s1") == (error.span_id, error.user_id, error.session_id)
        assert ("charge", "fatal", False) == (error.culprit, error.level, error.handled)
        frames = json.loads(error.stack)["chain"][0]["frames"]
        assert ["GET /pay", "charge"] == [frame["function"] for frame in frames]

    async def test_carries_the_last_moment(self, rings, source):
        rings.owner(busy).process.kill()
        said = (await rings.error()).attributes

        assert [{"message": "clicked"}] == json.loads(said["breadcrumbs"])
        assert str(240 * MIB) == said["process.memory.rss"]
        assert "/pay" == said["url.path"]
        assert {"GET /pay", "charge"} == {s["name"] for s in json.loads(said["death.open_spans"])}

    async def test_shows_the_stack_that_faulthandler_wrote(self, rings, source):
        owner = rings.owner(busy)
        owner.do(f"import faulthandler; f = open({str(owner.ring)[:-5] + '.fault'!r}, 'w')")
        owner.do("faulthandler.enable(f); exec('def pay(): ctypes.string_at(0)')")
        owner.die("pay()")
        error = await rings.error()

        assert "SegmentationFault" == error.type
        assert "pay" in [f["function"] for f in json.loads(error.stack)["chain"][0]["frames"]]
        assert [] == rings.left()

    @pytest.mark.parametrize("source", [2.0], indirect=True, ids=["looking every 2 s"])
    async def test_is_seen_at_once(self, rings, source, record_property):
        times = []
        for _ in range(3):
            owner = rings.owner()
            await seen(source)
            owner.process.kill()
            began = time.monotonic()
            await rings.emptied()
            times.append(time.monotonic() - began)

        record_property("seconds_to_take_over", times)
        assert min(times) < 1.0  # half of a look

    async def test_in_good_order_is_none(self, rings, source):
        rings.owner(state=flight.LANDED).die("os._exit(0)")
        await rings.emptied()

        assert not rings.taking.records()

    async def test_with_nothing_cut_off_by_an_exit_of_0_is_no_error(self, rings, source):
        owner = rings.owner(lambda ring: ring.span(span=1))
        await seen(source)
        owner.die("os._exit(0)")
        await rings.emptied()

        assert (1, 0, 0) == tuple(len(rings.signals(k)) for k in ("span", "error", "session"))

    async def test_of_a_process_nobody_watched_has_an_unknown_cause(self, rings, taking):
        rings.owner(busy).die("os._exit(4)")
        source = SOURCES.build("flight", {})
        await source.start(taking.door())
        error = await rings.error()
        await source.stop()

        assert ("Vanished", "cause unknown: SIGKILL or os._exit") == (error.type, error.message)
        assert error.time == rings.signals("session")[0].time

    async def test_with_the_whole_machine_is_told_so(self, rings, taking):
        def long_ago(ring):
            ring.sample(0, 1_000_000_000 * 10**9, rss=MIB)

        rings.owner(long_ago).die("os._exit(4)")
        source = SOURCES.build("flight", {})
        await source.start(taking.door())

        assert "HostRestarted" == (await rings.error()).type
        await source.stop()


class TestTakeover:
    async def test_is_begun_again_where_an_agent_was_stopped(self, rings, taking, source):
        """Everything was stored, and the file not removed yet: a second time changes nothing."""
        owner = rings.owner(busy)
        owner.die("os._exit(3)")
        ring = owner.ring.read_bytes()
        await rings.emptied()
        before = len(taking.records())
        owner.ring.write_bytes(ring)
        await rings.emptied()

        assert before == len(taking.records())

    async def test_of_one_ring_is_made_by_one_agent(self, rings):
        owner = rings.owner(busy)
        owner.die("os._exit(3)")
        racing = [racer(owner.ring) for _ in range(6)]
        won = Counter([one.communicate()[0].strip() for one in racing])

        assert {"won": 1, "lost": 5} == won

    async def test_leaves_a_ring_that_somebody_put_in_its_place(self, rings):
        owner = rings.owner()
        found = Found(folder=owner.ring.parent, name=owner.ring.name)
        assert claim(found) is None
        owner.die("os._exit(3)")
        held = claim(found)
        owner.ring.rename(owner.ring.with_suffix(".old"))

        assert claim(found) is None
        held.release()


RACER = """
import sys, time
from pathlib import Path
from qmon_agent.ingest.flight.claim import claim
from qmon_agent.ingest.flight.folders import Found
path = Path(sys.argv[1])
held = claim(Found(folder=path.parent, name=path.name))
print("won" if held else "lost", flush=True)
if held:
    time.sleep(0.3)
    held.remove()
"""


def racer(ring):
    return subprocess.Popen(
        [sys.executable, "-c", RACER, str(ring)], stdout=subprocess.PIPE, text=True
    )


class TestStrangeFiles:
    @pytest.mark.parametrize("content", [b"", bytes(flight.SIZE), b"no ring at all"])
    async def test_are_removed_when_nobody_makes_a_ring_of_them(self, content, rings, taking):
        rings.folder.mkdir(mode=0o700)
        path = rings.folder / f"{rings.agent}.{0:032x}.ring"
        path.write_bytes(content)
        source = SOURCES.build("flight", {"interval_s": 0.1, "making_s": 0.5})
        await source.start(taking.door())
        await asyncio.sleep(0.2)
        assert path.exists(), "it may be in the making"
        await rings.emptied()
        await source.stop()

        assert bool(content.strip(b"\0")) == bool(taking.journal.dead_letters())

    async def test_of_others_are_not_opened(self, rings, source, tmp_path):
        rings.folder.mkdir(mode=0o700)
        real = tmp_path / "real"
        real.write_bytes(b"mine")
        link = rings.folder / f"{rings.agent}.{0:032x}.ring"
        link.symlink_to(real)
        os.mkfifo(rings.folder / f"{rings.agent}.{1:032x}.ring")
        await asyncio.sleep(0.5)

        assert 2 == len(rings.left())
        assert b"mine" == real.read_bytes()

    async def test_in_a_folder_that_all_may_write_to_are_not_believed(self, rings, source):
        owner = rings.owner(busy)
        rings.folder.chmod(0o777)
        owner.process.kill()
        await asyncio.sleep(0.5)

        assert [owner.ring.name] == rings.left()

    async def test_for_another_agent_are_left_to_it(self, rings, source):
        owner = rings.owner(busy)
        other = owner.ring.rename(owner.ring.with_name(f"00000000.{'0' * 32}.ring"))
        owner.process.kill()
        await asyncio.sleep(0.5)

        assert other.exists()

    async def test_with_the_name_of_another_process_become_a_dead_letter(self, rings, source):
        owner = rings.owner(busy)
        owner.ring.rename(owner.ring.with_name(f"{rings.agent}.{'0' * 32}.ring"))
        owner.process.kill()
        await rings.emptied()

        assert {"undecodable": 1, "rings": 0} == source.describe()
        assert not rings.taking.records()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away, and sees all rings")
class TestOtherUser:
    async def test_is_heard_by_root(self, rings, source):
        owner = rings.owner(busy)
        for path in (owner.ring, rings.folder):
            os.chown(path, 65534, 65534)
        owner.process.kill()

        assert "charge" == (await rings.error()).culprit

    async def test_has_no_file_of_others_in_his_folder(self, rings, source):
        owner = rings.owner(busy)
        os.chown(rings.folder, 65534, 65534)
        owner.process.kill()
        await asyncio.sleep(0.5)

        assert [owner.ring.name] == rings.left()


class TestExtraFolder:
    async def test_gives_rings_of_any_agent(self, rings, taking, tmp_path):
        owner = rings.owner(busy, namespace=1)
        extra = tmp_path / "container"
        extra.mkdir(mode=0o700)
        owner.ring.rename(extra / f"deadbeef.{owner.ring.name.split('.')[1]}.ring")
        source = SOURCES.build("flight", {"folders": [str(extra)], "interval_s": 0.1})
        await source.start(taking.door())
        await seen(source)
        owner.process.send_signal(signal.SIGKILL)
        async with asyncio.timeout(20):
            while any(extra.iterdir()):
                await asyncio.sleep(0.01)
        await source.stop()

        assert 1 == len(rings.signals("error"))
