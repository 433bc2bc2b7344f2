"""Producers of what the agent finds by itself: lines, journal entries, pages, packets, rings."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

from ports import free_port
from producers import PATIENCE_S, Producer, Verdict
from prometheus_client import CollectorRegistry, Counter, start_http_server
from statsd import StatsClient

# As `journalctl` is used: entries after a cursor, followed.
JOURNALCTL = """#!/bin/sh
for word; do case $word in --after-cursor=*) after=${{word#*=c}};; --lines=1) exit;; esac; done
exec tail -n +$((${{after:-0}} + 1)) -f {entries}
"""
FLYING = """
import os, signal, sys
import qmon_sdk as qmon
qmon.init(service="flying")
for number in range(int(sys.argv[1]), int(sys.argv[1]) + 20):
    with qmon.span(f"flight_{number}"):
        pass
    print(f"flight_{number}", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


class LogFilesProducer(Producer):
    """A line that is in the file is promised."""

    name_of_source, table, column = "log_files", "logs", "body"

    def make_ready(self):
        self.path = self.stage.directory / "app.log"
        self.config = (
            "[sources.log_files]\nfrom_beginning = true\ninterval_s = 0.1\n"
            f'[[sources.log_files.files]]\npaths = ["{self.path}"]\n'
        )

    def deliver(self, items):
        with self.path.open("a") as file:
            file.writelines(f"{item}\n" for item in items)
        return True


class JournaldProducer(Producer):
    """An entry that the journal has is promised; a program that speaks like `journalctl` tells."""

    name_of_source, table, column = "journald", "logs", "body"

    def make_ready(self):
        self.entries = self.stage.directory / "entries"
        self.entries.touch()
        self._count = 0
        command = self.stage.directory / "journalctl"
        command.write_text(JOURNALCTL.format(entries=self.entries))
        command.chmod(0o755)
        self.config = (
            "[sources.journald]\nenabled = true\nfrom_beginning = true\ninterval_s = 0.1\n"
            f'command = "{command}"\n'
        )

    def deliver(self, items):
        lines = ""
        for item in items:
            self._count += 1
            stamp = f"{time.time_ns() // 1000}"
            entry = {"__CURSOR": f"c{self._count}", "__REALTIME_TIMESTAMP": stamp, "MESSAGE": item}
            lines += json.dumps({**entry, "PRIORITY": "6", "_PID": "7"}) + "\n"
        with self.entries.open("a") as file:
            file.write(lines)
        return True


class FlightProducer(Producer):
    """Programs that record and are killed; what they recorded is promised."""

    name_of_source = "flight"

    def run(self):
        began = 1
        while not self.stopping.is_set():
            program = subprocess.Popen(
                [sys.executable, "-c", FLYING, str(began)],
                env=self.agent.environment(),
                cwd=self.stage.directory,
                stdout=subprocess.PIPE,
                text=True,
            )
            output, _ = program.communicate(timeout=PATIENCE_S)
            assert -signal.SIGKILL == program.returncode
            recorded = output.split()
            self.sent += recorded
            self.acknowledged |= {*recorded}
            began += 20
            self.stopping.wait(0.5)


class Counting(Producer):
    """Numbers that are added up: nobody promises one, but no more may be stored than there were."""

    at_once, pause_s = 1, 0.02
    metric = ""
    lost_by = ("kill -9", "all in turn")

    def deliver(self, items):
        self.count()
        return True

    def verdict(self, fault):
        stored, expected, counted = self._stored(), len(self.sent), self._counted()
        may_lack = fault in self.lost_by or counted
        lacking = round(expected - stored)
        return Verdict(
            sent=expected,
            acknowledged=0,
            stored=round(stored),
            lost=[] if may_lack else [self.metric] * lacking,
            doubled=[self.metric] * -lacking,
            counted=counted,
            what=self.metric,
        )

    def _stored(self):
        sql = f"SELECT coalesce(sum(value), 0) AS n FROM points WHERE metric = '{self.metric}'"
        return self.agent.ask("query", sql)["rows"][0]["n"]

    def _counted(self):
        """What the agent says it did not keep of what came in here."""
        status = json.loads(self.agent.command("status", "--json").stdout)
        dropped = status["conservation"]["dropped_by_reason"]
        return {name: n for name, n in dropped.items() if name.startswith("point/")}


class StatsdProducer(Counting):
    name_of_source, metric = "statsd", "statsd_items"

    def make_ready(self):
        self.port = free_port()
        self.config = (
            "[sources.statsd]\nenabled = true\ninterval_s = 0.3\n"
            f'listen = "127.0.0.1:{self.port}"\n'
        )

    def begin(self):
        self._client = StatsClient("127.0.0.1", self.port)
        super().begin()

    def count(self):
        self._client.incr(self.metric)

    def close(self):
        super().close()
        self._client.close()


class PrometheusProducer(Counting):
    """A program that shows a counter; it appears after the first scrape, so it is told whole."""

    name_of_source, metric = "prometheus", "shown_items_total"

    def make_ready(self):
        self._registry = CollectorRegistry()
        self._server, self._thread = start_http_server(0, addr="127.0.0.1", registry=self._registry)
        self.config = (
            "[[sources.prometheus.targets]]\ninterval_s = 0.3\n"
            f'url = "http://127.0.0.1:{self._server.server_port}/metrics"\n'
        )
        self._counter = None

    def begin(self):
        time.sleep(1.5)
        self._counter = Counter("shown_items", "...", registry=self._registry)
        super().begin()

    def count(self):
        self._counter.inc()

    def close(self):
        super().close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
