"""What the samplers make of the kernel's files, on a machine whose files are known."""

import os
import threading

import pytest

from qmon_agent.domain.errors import NotHereError
from qmon_agent.monitoring import SamplerRunner
from qmon_agent.monitoring.samplers import SAMPLERS
from qmon_agent.monitoring.samplers._asking import Asking
from qmon_agent.monitoring.samplers._kernel import KernelFile, snake
from qmon_agent.monitoring.samplers._sheet import Sheet, Totals
from qmon_agent.monitoring.sampling import Pace

SECOND = 1_000_000_000


@pytest.fixture
def sampled(drawn_machine):
    """A sampler's numbers a second apart, by metric and the values of the attributes."""

    def look(name, changes=()):
        sampler = SAMPLERS.build(name, drawn_machine.options(name))
        sampler.sample(100 * SECOND)
        for path, text in dict(changes).items():
            drawn_machine.write(path, text)
        points = sampler.sample(101 * SECOND)
        return {(p.metric, *p.attributes.values()): p.value for p in points}

    return look


class TestCpu:
    def test_is_told_for_each_processor_and_stolen_time_too(self, sampled):
        after = (
            "cpu  100 0 50 850 10 5 5 80\ncpu0 60 0 20 400 5 5 5 55\ncpu1 40 0 30 450 5 0 0 25\n"
        )

        found = sampled("cpu", {"proc/stat": after})

        assert 0.5 == found["system.cpu.utilization", "steal"]
        assert 1.0 == found["system.cpu.logical.utilization", "0"]
        assert 0.0 == found["system.cpu.logical.utilization", "1"]

    def test_counts_switches_and_new_processes(self, sampled):
        found = sampled("cpu", {"proc/stat": "cpu 1 1 1 1 1 1 1 1\nctxt 4100\nprocesses 80\n"})

        assert 100 == found[("system.linux.context_switches",)]
        assert 3 == found[("system.process.created",)]


class TestDisks:
    def test_have_latency_queue_and_a_busy_share(self, sampled):
        after = "8 0 sda 20 1 80 200 20 2 160 400 5 500 2500 0 0 0 0 0 0\n"

        found = sampled("disk", {"proc/diskstats": after})

        assert pytest.approx(0.01) == found["system.disk.latency", "sda", "read"]
        assert pytest.approx(0.25) == found["system.disk.utilization", "sda"]
        assert pytest.approx(2.0) == found["system.disk.queue.length", "sda"]
        assert 5 == found["system.disk.pending", "sda"]

    def test_that_are_none_are_left_out(self, sampled):
        assert not [key for key in sampled("disk") if "loop0" in key]


class TestNetwork:
    def test_tells_retransmits_overflows_and_errors(self, sampled):
        changes = {
            "proc/net/snmp": "Tcp: RtoMin CurrEstab RetransSegs InErrs\nTcp: 200 9 107 0\n",
            "proc/net/netstat": "TcpExt: ListenOverflows TCPFullUndo\nTcpExt: 6 8\n",
        }

        found = sampled("protocols", changes)

        assert 7 == found[("system.linux.tcp.retransmits",)]
        assert 2 == found[("system.linux.tcp.listen_overflows",)]
        assert 9 == found[("system.linux.tcp.established",)]

    def test_tells_what_the_backlog_dropped_in_hexadecimal(self, sampled):
        found = sampled("softnet", {"proc/net/softnet_stat": "0000001a 00000011 00000003 0\n"})

        assert 16 == found[("system.linux.softnet.dropped",)]

    def test_tells_how_full_the_firewalls_table_is(self, sampled):
        assert 0.25 == sampled("conntrack")[("system.linux.conntrack.utilization",)]

    def test_tells_time_wait_and_the_state_of_links(self, sampled):
        assert 2 == sampled("sockets")["system.linux.sockets", "tcp", "time_wait"]
        assert 0 == sampled("interfaces")["system.linux.network.up", "eth0"]
        assert 125e6 == sampled("interfaces")["system.linux.network.speed", "eth0"]


class TestMemory:
    def test_that_is_used_is_neither_free_nor_cache(self, sampled):
        found = sampled("memory")

        assert 350 * 1024 == found["system.memory.usage", "used"]
        assert pytest.approx(0.75) == found["system.paging.utilization", "used"]

    def test_that_was_missing_killed_somebody(self, sampled):
        found = sampled("paging", {"proc/vmstat": "pgfault 140\npgmajfault 20\noom_kill 3\n"})

        assert 2 == found[("system.linux.memory.oom_kills",)]
        assert (10, 30) == tuple(found["system.paging.faults", kind] for kind in ("major", "minor"))

    def test_of_rarer_kinds_is_told_by_line(self, sampled):
        found = sampled("meminfo")

        assert 20 * 1024 == found[("system.linux.memory.active_anon",)]
        assert 4 == found[("system.linux.memory.huge_pages_total",)]


class TestControlGroups:
    def test_tell_limits_throttling_and_kills(self, sampled):
        after = "low 0\nhigh 0\nmax 2\noom 3\noom_kill 2\n"
        path = "/system.slice/qmon.service"

        found = sampled("cgroup", {f"sys/fs/cgroup{path}/memory.events": after})

        assert 1.5 == found["system.linux.cgroup.cpu.limit", path]
        assert 0.25 == found["system.linux.cgroup.memory.utilization", path]
        assert 1 == found["system.linux.cgroup.memory.events", path, "oom_kill"]
        assert 0.125 == found["system.linux.cgroup.pressure.share", path, "memory", "some"]

    def test_are_services_and_containers_by_their_names(self, sampled):
        assert 7 == sampled("services")["systemd.service.process.count", "qmon.service"]
        assert 7 == sampled("containers")["container.process.count", "ab" * 32, "docker"]

    def test_of_the_first_version_are_not_here(self, drawn_machine):
        drawn_machine.write("sys/fs/cgroup/cgroup.controllers", "")
        sampler = SAMPLERS.build("cgroup", drawn_machine.options("cgroup"))

        with pytest.raises(NotHereError):
            sampler.sample(1)


class TestSensors:
    def test_tell_temperature_and_fans_by_label(self, sampled):
        found = sampled("temperature")

        assert 45.5 == found["hw.temperature", "hwmon0/temp1", "Package id 0", "coretemp"]
        assert 1200 == found["hw.fan.speed", "hwmon0/fan2", "fan2", "coretemp"]

    def test_tell_the_graphics_processors_use(self, sampled):
        assert 0.25 == sampled("gpu")["hw.gpu.utilization", "card0", "amd"]

    def test_tell_how_fast_processors_run(self, sampled):
        assert 2.4e9 == sampled("frequency")["system.cpu.frequency", "0"]


class TestHandles:
    def test_are_told_with_their_limit(self, sampled):
        found = sampled("handles")

        assert 0.1 == found[("system.linux.files.utilization",)]
        assert 256 == found[("system.linux.entropy.available",)]


class TestUsers:
    def test_are_the_living_records_of_utmp(self, tmp_path):
        record = bytes([7, 0]).ljust(384, b"\0")
        (tmp_path / "utmp").write_bytes(record + bytes([8, 0]).ljust(384, b"\0") + record[:100])

        points = SAMPLERS.build("users", {"utmp": str(tmp_path / "utmp")}).sample(1)

        assert [1] == [point.value for point in points]


class TestInstrumentedProcesses:
    def test_are_found_by_their_rings_and_named_by_their_service(self, sampled):
        found = sampled("instrumented")

        (key,) = [key for key in found if key[0] == "process.memory.usage"]
        assert str(os.getpid()) == key[1]
        assert "shop" == key[-1]

    def test_are_not_others_that_have_their_number_by_now(self, drawn_machine):
        drawn_machine.draw_ring(started=1)
        sampler = SAMPLERS.build("instrumented", drawn_machine.options("instrumented"))

        with pytest.raises(NotHereError):
            sampler.sample(1)

    def test_are_not_believed_where_others_may_write(self, drawn_machine):
        (drawn_machine.folder / "shm" / f"qmon-{os.getuid()}").chmod(0o777)
        sampler = SAMPLERS.build("instrumented", drawn_machine.options("instrumented"))

        with pytest.raises(NotHereError):
            sampler.sample(1)


class TestProcesses:
    def test_are_those_that_use_most(self):
        sampler = SAMPLERS.build("processes", {"top": 1})
        sampler.sample(SECOND)
        sum(range(10_000_000))
        sampler.sample(30 * SECOND)

        found = {p.attributes.get("process.pid") for p in sampler.sample(31 * SECOND)}
        assert 1 <= len(found - {None}) <= 2

    def test_are_looked_through_more_seldom_the_more_it_costs(self):
        sampler = SAMPLERS.build("processes", {"share": 1e-6})
        sampler.sample(SECOND)

        later = {point.metric for point in sampler.sample(2 * SECOND)}
        assert "system.process.count" not in later
        assert "process.memory.usage" in later


class TestFilesystems:
    def test_that_hang_are_told_and_not_asked_again_and_hold_up_nobody(self):
        let_go, asked = threading.Event(), []

        def ask(place):
            asked.append(place)
            if place == "/nfs":
                let_go.wait(5)
            return os.statvfs("/")

        asking = Asking(ask)
        answers = asking.ask(["/", "/nfs", "/home"], 0.1)
        again = asking.ask(["/", "/nfs", "/home"], 0.1)
        let_go.set()

        assert {"/", "/home"} == {*answers} == {*again}
        assert ["/nfs"] == [*asking.hanging]
        assert 1 == asked.count("/nfs")

    def test_tell_inodes_and_whether_they_may_be_written(self, tmp_path):
        (tmp_path / "self").mkdir()
        (tmp_path / "self/mounts").write_text(
            "/dev/a / ext4 rw 0 0\n/dev/b /no\\040such xfs rw 0 0\n"
        )

        points = SAMPLERS.build("filesystem", {"proc": str(tmp_path)}).sample(1)

        found = {(p.metric, p.attributes["system.filesystem.mountpoint"]) for p in points}
        assert ("system.filesystem.read_only", "/") in found
        assert ("system.filesystem.hanging", "/no such") in found


class TestSheet:
    def test_tells_a_total_that_rests_once_and_then_seldom(self):
        totals, told = Totals(), []
        for second, total in enumerate([5, 6, 6, 6, 7, 7]):
            sheet = Sheet(second * SECOND, totals)
            sheet.total("a.total", total, unit="1")
            told.append([point.value for point in sheet.finish()])

        assert [[], [1], [0], [], [1], [0]] == told


class TestKernelFile:
    def test_is_read_anew_each_time_and_opened_again_where_it_was_lost(self, tmp_path):
        path = tmp_path / "counter"
        path.write_text("1")
        file = KernelFile(str(path))
        first = file.read()
        path.write_text("22")

        assert ("1", "22") == (first, file.read())

    @pytest.mark.parametrize(
        ("name", "plain"),
        [("ListenOverflows", "listen_overflows"), ("Active(anon)", "active_anon"),
         ("TCPSackRecovery", "tcpsack_recovery"), ("Ip6InReceives", "ip6_in_receives")],
    )  # fmt: skip
    def test_names_are_written_small(self, name, plain):
        assert plain == snake(name)


class TestSamplerRunner:
    async def test_asks_one_that_found_nothing_again_but_seldom(self):
        class Absent:
            calls = 0

            def sample(self, now):
                self.calls += 1
                raise NotHereError("no such thing")

        absent = Absent()
        runner = SamplerRunner({"absent": absent}, print, pace=Pace(interval_s=0.01))
        await run_for(runner, 0.2)

        assert 1 == absent.calls
        assert "no such thing" == runner.health["absent"].absent
        assert 0 == runner.health["absent"].failures

    async def test_asks_one_that_looks_for_newcomers_as_often_as_it_looks(self):
        class Looking:
            look_every_s = 0.05
            calls = 0

            def sample(self, now):
                self.calls += 1
                raise NotHereError("nobody yet")

        looking = Looking()
        await run_for(SamplerRunner({"looking": looking}, print, pace=Pace(interval_s=0.01)), 0.3)

        assert 2 <= looking.calls <= 7

    async def test_calls_a_slow_one_as_seldom_as_it_wants(self):
        class Slow:
            every_s = 0.1
            calls = 0

            def sample(self, now):
                self.calls += 1
                return []

        slow = Slow()
        await run_for(SamplerRunner({"slow": slow}, print, pace=Pace(interval_s=0.01)), 0.25)

        assert 2 <= slow.calls <= 4


async def run_for(runner, seconds):
    import asyncio

    task = asyncio.create_task(runner.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
