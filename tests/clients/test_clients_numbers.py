"""Clients that count, unmodified, against a live agent: what they add up to is what is stored."""

from __future__ import annotations

import pytest
from datadog.dogstatsd import DogStatsd
from ports import free_port
from prometheus_client import CollectorRegistry, Counter, start_http_server
from statsd import StatsClient

pytestmark = pytest.mark.timeout(180)

TARGET = free_port()
CONFIG = f"""
[sources.statsd]
enabled = true
listen = "127.0.0.1:0"
datagram_socket = "{{directory}}/dsd.sock"

[[sources.prometheus.targets]]
url = "http://127.0.0.1:{TARGET}/metrics"
service = "scraped"
interval_s = 0.2
"""
MANY = 2000


@pytest.fixture
def place(live):
    """Where datagrams are taken."""
    told = live.ask("/api/status")["sources"]["statsd"]["listen"]
    host, port = told.rsplit(":", 1)
    return host, int(port)


@pytest.fixture
def program():
    """A program that shows its numbers to whoever asks; none until it is started."""
    served = []

    def show(port):
        registry = CollectorRegistry()
        served.append(start_http_server(port, addr="127.0.0.1", registry=registry))
        return registry

    yield show
    for server, thread in served:
        server.shutdown()
        server.server_close()
        thread.join()


def total(live, metric):
    """What all points of a metric add up to, by what the agent answers."""
    sql = f"SELECT COALESCE(SUM(value), 0) AS n FROM points WHERE metric = '{metric}'"
    return live.ask("/api/query", {"sql": sql})["rows"][0]["n"]


def vital(live, name):
    vitals = live.ask("/api/status")["vitals"]
    return sum(value for key, value in vitals.items() if key.partition("{")[0] == name)


class TestStatsd:
    def test_has_every_increment_stored(self, live, place, until, tally):
        client = StatsClient(*place)
        with client.pipeline() as pipe:
            for _ in range(MANY):
                pipe.incr("statsd.orders")
        client.close()

        until(lambda: total(live, "statsd.orders") >= MANY)

        lost = vital(live, "datagrams_lost")
        tally("statsd", captured=MANY, stored=total(live, "statsd.orders"), counted=lost)


class TestDatadog:
    def test_has_numbers_events_and_checks_stored(self, live, until, tally):
        # It waits for room: what it drops by itself where there is none, nobody else can count.
        client = DogStatsd(socket_path=str(live.directory / "dsd.sock"), socket_timeout=10)
        for _ in range(MANY):
            client.increment("dogstatsd.orders")
        client.event("deployed", "shop 1.2", tags=["service:shop"])
        client.service_check("shop.up", DogStatsd.OK)
        client.flush()
        client.close_socket()

        until(lambda: total(live, "dogstatsd.orders") >= MANY)
        beside = len(live.until("events", 1)) + len(live.until("checkins", 1))

        stored = total(live, "dogstatsd.orders") + beside
        tally("datadog (unix datagrams)", captured=MANY + 2, stored=stored)

    def test_has_what_comes_by_udp_stored_too(self, live, place, until, tally):
        client = DogStatsd(*place)
        for _ in range(100):
            client.increment("dogstatsd.udp")
        client.flush()
        client.close_socket()

        until(lambda: total(live, "dogstatsd.udp") >= 100)

        tally("datadog (UDP)", captured=100, stored=total(live, "dogstatsd.udp"))


class TestPrometheusClient:
    def test_has_what_it_counted_while_it_was_asked_stored(self, live, program, until, tally):
        counter = Counter("scraped_orders", "", registry=program(TARGET))
        until(lambda: live.rows("points WHERE metric = 'up' AND value = 1", "time"))

        for _ in range(MANY):
            counter.inc()
        until(lambda: total(live, "scraped_orders_total") >= MANY)

        tally(
            "prometheus_client (scraped)", captured=MANY, stored=total(live, "scraped_orders_total")
        )


class TestPrometheus:
    """The real one, which asks a program and writes to us what it hears."""

    @pytest.fixture
    def prometheus(self, live, start, tmp_path):
        config, port, target = tmp_path / "prometheus.yml", free_port(), free_port()
        config.write_text(
            f"global: {{scrape_interval: 1s}}\nremote_write:\n- url: {live.url}/api/v1/write\n"
            f"  authorization: {{credentials: {live.token}}}\n"
            "  queue_config: {batch_send_deadline: 100ms}\nscrape_configs:\n- job_name: shop\n"
            f"  static_configs: [{{targets: ['127.0.0.1:{target}']}}]\n"
        )
        where = [f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/data"]
        start("prometheus", *where, f"--web.listen-address=127.0.0.1:{port}")
        return target

    def test_has_what_it_writes_stored(self, live, prometheus, program, until, tally):
        counter = Counter("written_orders", "", registry=program(prometheus))
        until(lambda: vital(live, "remote_write_samples"))

        for _ in range(MANY):
            counter.inc()
        until(lambda: total(live, "written_orders_total") >= MANY)

        stored = total(live, "written_orders_total")
        tally("prometheus (remote write)", captured=MANY, stored=stored)
        written = len(live.rows("points WHERE service = 'shop'", "time"))
        samples, left = vital(live, "remote_write_samples"), vital(live, "remote_write_left_out")
        assert written + left <= samples
