"""A machine drawn by hand: files of the kernel for what the one that tests does not have."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from qmon_sdk.protocol import flight

CONTAINER = "ab" * 32
GROUP = {
    "cgroup.controllers": "cpu io memory pids\n",
    "cpu.stat": "usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000\n"
    "nr_periods 10\nnr_throttled 4\nthrottled_usec 500000\n",
    "cpu.max": "150000 100000\n",
    "memory.current": "1048576\n",
    "memory.max": "4194304\n",
    "memory.swap.current": "0\n",
    "memory.events": "low 0\nhigh 0\nmax 2\noom 1\noom_kill 1\noom_group_kill 0\n",
    "io.stat": "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n",
    "pids.current": "7\n",
    "pids.max": "max\n",
    "memory.pressure": "some avg10=12.50 avg60=0.00 avg300=0.00 total=2000000\n",
}
SYS = {
    "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2400000\n",
    "devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3\n",
    "class/hwmon/hwmon0/name": "coretemp\n",
    "class/hwmon/hwmon0/temp1_input": "45500\n",
    "class/hwmon/hwmon0/temp1_label": "Package id 0\n",
    "class/hwmon/hwmon0/fan2_input": "1200\n",
    "class/drm/card0/device/gpu_busy_percent": "25\n",
    "class/drm/card0/device/mem_info_vram_used": "1024\n",
    "class/drm/card0/device/mem_info_vram_total": "4096\n",
    "class/net/eth0/operstate": "down\n",
    "class/net/eth0/speed": "1000\n",
    "class/net/eth0/carrier_changes": "5\n",
}
PROC = {
    "self/cgroup": "0::/system.slice/qmon.service\n",
    "sys/net/netfilter/nf_conntrack_count": "250\n",
    "sys/net/netfilter/nf_conntrack_max": "1000\n",
    "sys/fs/file-nr": "1200\t200\t10000\n",
    "sys/kernel/random/entropy_avail": "256\n",
    "pressure/cpu": "some avg10=1.50 avg60=0.00 avg300=0.00 total=1000000\n"
    "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    "pressure/irq": "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
    "net/softnet_stat": "0000000a 00000001 00000002 0\n00000010 00000000 00000001 0\n",
    "net/sockstat": "sockets: used 40\nTCP: inuse 5 orphan 1 tw 2 alloc 6 mem 3\n",
    "net/snmp": "Tcp: RtoMin CurrEstab RetransSegs InErrs\nTcp: 200 9 100 0\n"
    "Udp: InDatagrams RcvbufErrors\nUdp: 50 3\n",
    "net/netstat": "TcpExt: ListenOverflows TCPFullUndo\nTcpExt: 4 8\n",
    "net/snmp6": "Ip6InReceives\t7\n",
    "net/dev": "Inter-|   Receive    |  Transmit\n face |bytes packets\n"
    "  eth0: 1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0\n",
    "diskstats": "   8  0 sda 10 1 80 100 20 2 160 400 3 250 500 0 0 0 0 0 0\n"
    "   7  0 loop0 1 0 8 1 0 0 0 0 0 1 1\n",
    "vmstat": "nr_free_pages 5\npgfault 100\npgmajfault 10\noom_kill 1\nthp_split_page 2\n",
    "meminfo": "MemTotal: 1000 kB\nMemFree: 400 kB\nMemAvailable: 600 kB\nBuffers: 50 kB\n"
    "Cached: 150 kB\nSReclaimable: 50 kB\nSwapTotal: 200 kB\nSwapFree: 50 kB\n"
    "Active(anon): 20 kB\nHugePages_Total: 4\n",
    "stat": "cpu  100 0 50 800 10 5 5 30 0 0\ncpu0 60 0 20 400 5 5 5 5 0 0\n"
    "cpu1 40 0 30 400 5 0 0 25 0 0\nintr 900 1 2\nctxt 4000\nbtime 1\nprocesses 77\n"
    "procs_running 2\nprocs_blocked 1\nsoftirq 300 1 2\n",
    "uptime": "3600.50 7000.00\n",
    "loadavg": "0.10 0.20 0.30 2/345 999\n",
}


class DrawnMachine:
    """Trees of `/proc` and `/sys` under a folder; `write` changes a file, as time would."""

    def __init__(self, folder):
        self.folder = folder
        for tree, files in (("proc", PROC), ("sys", SYS)):
            for path, text in files.items():
                self.write(f"{tree}/{path}", text)
        groups = "sys/fs/cgroup"
        self.draw_group(groups)
        self.draw_group(f"{groups}/system.slice/qmon.service")
        self.draw_group(f"{groups}/system.slice/docker-{CONTAINER}.scope")
        self.draw_ring()

    def write(self, path, text):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def draw_group(self, path):
        for name, text in GROUP.items():
            self.write(f"{path}/{name}", text)

    def draw_ring(self, *, pid=None, started=None):
        """The head of a ring, of this very process unless told otherwise."""
        head = bytearray(flight.HEAD_BYTES)
        head[:8] = flight.MAGIC
        pid = os.getpid() if pid is None else pid
        began = _started(os.getpid()) if started is None else started
        words = {flight.STATE: flight.FLYING, flight.PID: pid, flight.STARTED: began}
        for at, word in words.items():
            flight.WORD.pack_into(head, at, word)
        said = b"\x91\xa4shop"
        head[flight.RESOURCE_AT : flight.RESOURCE_AT + 4 + len(said)] = (
            struct.pack("<I", len(said)) + said
        )
        folder = self.folder / "shm" / f"qmon-{os.getuid()}"
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        (folder / "agent.process.ring").write_bytes(head)

    def options(self, name):
        """The options that show it to a sampler."""
        if name == "instrumented":
            return {"shared": str(self.folder / "shm")}
        return {"proc": str(self.folder / "proc"), "sys": str(self.folder / "sys")}


def _started(pid):
    line = Path(f"/proc/{pid}/stat").read_bytes()
    return int(line.rpartition(b")")[2].split()[19])
