"""What a process died of, by what there is to go by."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys

import pytest
from msgspec import structs

from qmon_agent.ingest.flight.cgroups import Cgroups, Limits, Memory, limits_of
from qmon_agent.ingest.flight.exits import Exit, Exits, peer_descriptor
from qmon_agent.ingest.flight.faults import Fault, FaultFrame, read_fault
from qmon_agent.ingest.flight.inflight import about
from qmon_agent.ingest.flight.kernel_log import OomKill, oom_kill_in
from qmon_agent.ingest.flight.owners import facts_of
from qmon_agent.ingest.flight.process_events import ProcessEvents
from qmon_agent.ingest.flight.stack import culprit_of, frames_of_fault
from qmon_agent.ingest.flight.verdict import Evidence, judge
from qmon_sdk.protocol.flight_reader import OpenSpan, Sample
from qmon_sdk.protocol.signals import Span

MIB = 1 << 20
KILLED = Exit(signal=signal.SIGKILL, source="test")
FAULT = b"""Fatal Python error: Segmentation fault

Current thread 0x00007f9f8461dc40 (most recent call first):
  File "/usr/lib/python3.13/ctypes/__init__.py", line 538 in string_at
  File "/srv/shop/till.py", line 3 in pay

Thread 0x00007f9f84000000 (most recent call first):
  File "/srv/shop/other.py", line 9 in wait
"""
KERNEL_LOG = [
    b"6,1,100000000,-;Linux version 6.1",
    b"3,2,900000000,-;Memory cgroup out of memory: Killed process 4711 (py) anon-rss:130000kB\n",
    b"3,3,950000000,-;Out of memory: Killed process 4712 (python (x)) total-vm:1kB, anon-rss:8kB",
]


class TestVerdict:
    @pytest.mark.parametrize(
        ("evidence", "kind", "message"),
        [
            (Evidence(exit=KILLED), "KilledBySIGKILL", "killed by SIGKILL"),
            (
                Evidence(exit=KILLED, memory=Memory(limit=256 * MIB, was_killed=True)),
                "OutOfMemory",
                "killed by SIGKILL (out of memory: cgroup limit of 256 MiB)",
            ),
            (
                Evidence(exit=KILLED, oom=OomKill(by_cgroup=False)),
                "OutOfMemory",
                "killed by SIGKILL (out of memory: the machine had none left)",
            ),
            (Evidence(exit=Exit(code=3)), "ExitedAbruptly", "ended by os._exit(3)"),
            (
                Evidence(fault=read_fault(FAULT)),
                "SegmentationFault",
                "segmentation fault (SIGSEGV)",
            ),
            (Evidence(exit=Exit(signal=40)), "KilledBySignal40", "killed by signal 40"),
            (Evidence(), "Vanished", "cause unknown: SIGKILL or os._exit"),
        ],
    )
    def test_is_what_the_evidence_speaks_for(self, evidence, kind, message):
        cause = judge(evidence)

        assert (kind, message) == (cause.type, cause.message)

    def test_of_a_fault_stands_against_a_kill_for_memory_beside_it(self):
        evidence = Evidence(exit=Exit(signal=signal.SIGSEGV), memory=Memory(was_killed=True))

        assert "SegmentationFault" == judge(evidence).type

    def test_that_is_none_hints_at_a_weight_near_the_limit(self):
        memory, last = Memory(limit=100 * MIB), Sample(time=1, rss=95 * MIB)

        assert "95 MiB of 100 MiB" in judge(Evidence(memory=memory, last=last)).message

    def test_says_that_a_core_was_dumped(self):
        core = Exit.of(signal.SIGSEGV | 0x80, source="wait")

        assert "core_pattern: core" in "".join(
            judge(Evidence(exit=core, core_pattern="core")).evidence
        )


class TestFaultText:
    def test_is_read_outermost_first_of_the_thread_that_failed(self):
        fault = read_fault(FAULT)

        assert ["pay", "string_at"] == [frame.function for frame in fault.frames]
        assert (0x7F9F8461DC40, signal.SIGSEGV) == (fault.thread, fault.signal)

    def test_of_a_dump_on_request_is_no_fault(self):
        assert read_fault(FAULT.replace(b"Fatal Python error: Segmentation fault", b"")) is None


def open_span(name):
    return OpenSpan(span=Span(name="x", attributes={"code.function.name": name}))


class TestWhatASpanWasAbout:
    @pytest.mark.parametrize(
        ("name", "text"), [("POST", "POST /pay"), ("POST /pay", ""), ("work", "POST /pay")]
    )
    def test_is_known_by_its_text_or_its_name(self, name, text):
        opened = OpenSpan(span=Span(name=name), text=text)
        assert {"http.request.method": "POST", "url.path": "/pay"} == about(opened)

    def test_is_nothing_where_the_name_says_nothing(self):
        assert {} == about(OpenSpan(span=Span(name="work")))


class TestCulprit:
    """It is called as in errors that a living process tells."""

    FAULT = read_fault(
        b"Fatal Python error: Aborted\n\n"
        b"Current thread 0x01 (most recent call first):\n"
        b'  File "/usr/lib/python3.13/ctypes/__init__.py", line 538 in string_at\n'
        b'  File "/srv/shop/pay/till.py", line 3 in charge\n'
        b'  File "/usr/lib/python3.13/threading.py", line 9 in run\n\n'
        b"Thread 0x02 (most recent call first):\n"
        b'  File "/srv/shop/web.py", line 3 in serve\n'
        b'  File "/srv/shop/web.py", line 9 in <module>\n'
        b'  File "<frozen runpy>", line 88 in _run_code\n'
    )

    def test_has_the_name_of_its_module_beside_the_program(self):
        assert "/srv/shop/web.py" == self.FAULT.program
        assert "pay.till.charge" == culprit_of(self.FAULT, [])

    def test_is_in_main_where_the_program_itself_is(self):
        fault = structs.replace(self.FAULT, program="/srv/shop/pay/till.py")
        assert "__main__.charge" == culprit_of(fault, [])
        assert "__main__.Till.charge" == culprit_of(fault, [open_span("__main__.Till.charge")])

    def test_has_the_name_that_spans_know(self):
        chain = [open_span("shop.pay.till.Till.charge"), open_span("shop.pay.till.other")]
        assert "shop.pay.till.Till.charge" == culprit_of(self.FAULT, chain)
        assert "shop.pay.till" == frames_of_fault(self.FAULT, chain)[1]["module"]

    @pytest.mark.parametrize("file", ["", "/", "till.py", "<string>", "/x/site-packages/a/b.py"])
    def test_is_something_whatever_the_file(self, file):
        fault = Fault(frames=(FaultFrame(file=file, line=1, function="f"),))
        (frame,) = frames_of_fault(fault, [])
        assert frame["module"] in {"", "till", "<string>", "a.b"}


class TestKernelLog:
    def test_tells_of_a_kill_by_a_cgroup(self):
        kill = oom_kill_in(KERNEL_LOG, 4711, 0)

        assert (True, 130000 << 10) == (kill.by_cgroup, kill.rss)

    def test_tells_of_a_kill_for_the_whole_machine(self):
        assert not oom_kill_in(KERNEL_LOG, 4712, 0).by_cgroup

    def test_tells_nothing_of_a_process_that_began_later(self):
        began = 1000 * os.sysconf("SC_CLK_TCK")

        assert oom_kill_in(KERNEL_LOG, 4711, began) is None


class Group:
    """A directory that looks like a memory cgroup of version 2."""

    def __init__(self, path):
        path.mkdir()
        self.path = path
        (path / "memory.max").write_text(f"{64 * MIB}\n")
        self.kills(0)

    def kills(self, number):
        (self.path / "memory.events").write_text(
            f"low 0\nhigh 0\nmax 9\noom 1\noom_kill {number}\n"
        )


class TestCgroup:
    @pytest.fixture
    def group(self, tmp_path):
        return Group(tmp_path / "shop")

    @pytest.fixture
    def cgroups(self, group):
        cgroups = Cgroups(find=lambda _: group.path)
        cgroups.join(1)
        cgroups.join(2)
        return cgroups

    def test_of_version_2_tells_limit_and_kills(self, group):
        group.kills(3)

        assert Limits(limit=64 * MIB, kills=3) == limits_of(group.path)

    def test_of_version_1_tells_them_too(self, tmp_path):
        (tmp_path / "memory.oom_control").write_text(
            "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"
        )
        (tmp_path / "memory.limit_in_bytes").write_text("9223372036854771712\n")

        assert Limits(limit=0, kills=2) == limits_of(tmp_path)

    def test_that_killed_somebody_explains_one_death(self, group, cgroups):
        group.kills(1)
        assert cgroups.memory_of(1).was_killed
        cgroups.explain(1)

        assert not cgroups.memory_of(2).was_killed

    def test_that_killed_nobody_explains_none(self, cgroups):
        cgroups.look()

        assert Memory(path=cgroups.memory_of(1).path, limit=64 * MIB) == cgroups.memory_of(1)

    def test_that_went_with_its_process_told_before(self, group, cgroups):
        group.kills(1)
        cgroups.look()
        for file in group.path.iterdir():
            file.unlink()
        group.path.rmdir()

        assert cgroups.memory_of(1).was_killed


CONNECTS = """
import os, socket, sys
socket.socket(socket.AF_UNIX).connect(sys.argv[1])
os._exit(5)
"""
SLEEPS = "import time; time.sleep(60)"


class TestExits:
    @pytest.fixture
    async def ended(self):
        return asyncio.Queue()

    @pytest.fixture
    async def exits(self, ended):
        exits = Exits(ended.put_nowait, told=lambda _: None)
        yield exits
        exits.close()

    async def test_tell_the_signal_at_once(self, exits, ended):
        with subprocess.Popen([sys.executable, "-c", SLEEPS]) as process:
            exits.hold(process.pid)
            started = facts_of(process.pid).started
            process.kill()
            async with asyncio.timeout(10):
                assert process.pid == await ended.get()

            assert "SIGKILL" == exits.end_of(process.pid, started).exit.name

    async def test_tell_the_code_of_one_that_was_gone_before_it_was_met(
        self, exits, tmp_path, missing
    ):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "s"))
            listener.listen()
            done = subprocess.Popen([sys.executable, "-c", CONNECTS, str(tmp_path / "s")])
            done.wait()
            connection, _ = listener.accept()
        with connection:
            if (descriptor := peer_descriptor(connection)) is None:
                missing("SO_PEERPIDFD for the dead, of Linux 6.16")
            exits.hold(done.pid, descriptor)

        assert 5 == exits.end_of(done.pid, 0).exit.code

    async def test_are_kept_of_one_that_is_met_again_after_its_end(self, exits, ended):
        """Who looks, and who accepts connections, may have seen it alive a moment ago."""
        with subprocess.Popen([sys.executable, "-c", SLEEPS]) as process:
            exits.hold(process.pid)
            started = facts_of(process.pid).started
            process.kill()
            async with asyncio.timeout(10):
                await ended.get()
            process.wait()
            exits.hold(process.pid)

            assert "SIGKILL" == exits.end_of(process.pid, started).exit.name

    async def test_know_nothing_of_another_process_of_this_number(self, exits):
        with subprocess.Popen([sys.executable, "-c", SLEEPS]) as process:
            exits.hold(process.pid)
            other = facts_of(process.pid).started + 1
            process.kill()
            process.wait()

            assert exits.end_of(process.pid, other) is None


class TestProcessEvents:
    async def test_tell_how_any_process_ended(self, missing):
        events = ProcessEvents()
        events.start()
        if not events.is_listening:
            missing("the right to hear the kernel's process events")
        with subprocess.Popen([sys.executable, "-c", "import os; os._exit(7)"]) as process:
            process.wait()
        async with asyncio.timeout(10):
            while (status := events.status_of(process.pid)) is None:
                await asyncio.sleep(0.01)
        events.stop()

        assert 7 == Exit.of(status, source="").code
