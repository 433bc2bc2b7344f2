"""Numbers of other tools, by the tools themselves, up to the answer of a question."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from statsd import StatsClient

SCRAPES = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
remote_write:
  - url: {url}/api/v1/write
    authorization: {{credentials: {token}}}
    queue_config: {{batch_send_deadline: 200ms}}
"""
GROWTH = (
    "SELECT metric, kind, sum(value) AS total, sum(count) AS n FROM points "
    "WHERE service = 'shop' GROUP BY ALL"
)


@pytest.fixture
def program():
    """A program with numbers, shown by the unmodified client."""
    registry = CollectorRegistry()
    registry.orders = Counter("orders", "…", registry=registry)
    registry.queue = Gauge("queue", "…", registry=registry)
    registry.wait = Histogram("wait_seconds", "…", registry=registry)
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    registry.port = server.server_port
    yield registry
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def prometheus(tmp_path, missing):
    """Starts a real one that scrapes a program and writes to an agent."""
    if not shutil.which("prometheus"):
        missing("prometheus (Debian: prometheus)")
    started = []

    def start(config):
        path = tmp_path / "prometheus.yml"
        path.write_text(config)
        options = (
            f"--config.file={path}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            "--web.listen-address=127.0.0.1:0",
        )
        with (tmp_path / "prometheus.log").open("wb") as log:
            started.append(subprocess.Popen(["prometheus", *options], stdout=log, stderr=log))

    yield start
    for one in started:
        one.terminate()
        one.wait(20)


def growth(home):
    rows = home.ask("query", GROWTH)["rows"]
    return {row["metric"]: (row["kind"], row["total"], row["n"]) for row in rows}


@pytest.mark.slow
class TestPrometheus:
    def test_writes_growth_that_adds_up(self, home, program, prometheus):
        (url,) = re.findall(r"url=(\S+)", home.start().ready)
        token = home.ask("token", "create", "--scope", "ingest")["token"]
        prometheus(SCRAPES.format(target=program.port, url=url, token=token))
        home.until(lambda: "queue" in growth(home))
        time.sleep(1)
        for n in range(30):
            program.orders.inc()
            program.wait.observe(n / 10)
            program.queue.set(-n)
            time.sleep(0.02)

        home.until(lambda: growth(home).get("wait_seconds", (0, 0, 0))[2] >= 30)
        home.until(lambda: growth(home).get("orders_total", (0, 0, 0))[1] >= 30)

        kept = growth(home)
        assert ("counter", 30) == kept["orders_total"][:2]
        assert ("distribution", pytest.approx(43.5), 30) == kept["wait_seconds"]
        assert not {"wait_seconds_bucket", "wait_seconds_sum"} & set(kept)


@pytest.mark.slow
class TestStatsd:
    def test_adds_up_to_what_was_sent(self, home, free_port):
        home.state.mkdir(parents=True)
        config = f'[sources.statsd]\nenabled = true\nlisten = "127.0.0.1:{free_port}"\n'
        (home.state / "qmon.toml").write_text(config + 'service = "shop"\n')
        home.start()
        client = StatsClient(port=free_port)
        for n in range(1_000):
            client.incr("orders", n % 3)
            if n % 50 == 0:
                time.sleep(0.01)
        client.close()

        home.until(lambda: growth(home).get("orders", (0, 0, 0))[1] == 999)
        vitals = json.dumps(home.ask("status"))
        assert "datagrams_lost" not in vitals
