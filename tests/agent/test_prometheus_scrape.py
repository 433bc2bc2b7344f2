"""Prometheus's targets: whatever its own client shows is asked for, and becomes points."""

from __future__ import annotations

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    start_http_server,
)
from prometheus_client.parser import text_string_to_metric_families

from qmon_agent.domain.errors import ConfigError
from qmon_agent.ingest.exposition_points import Exposition
from qmon_agent.ingest.scraping import Scraper, Target
from qmon_agent.ingest.sources import SOURCES, make_sources
from qmon_sdk.protocol.buckets import quantile
from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.frames import decode_frame

OWN = {"up", "scrape_duration_seconds", "scrape_samples_scraped"}


class Page(BaseHTTPRequestHandler):
    """Answers with what its server was given."""

    def do_GET(self):
        self.server.asked.append(dict(self.headers))
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def page():
    """A target by hand: `page.answer` is what it says."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.answer, server.asked = (200, {"Content-Type": "text/plain"}, b"a_total 1\n"), []
    server.url = f"http://127.0.0.1:{server.server_port}/metrics"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def program():
    """A program that shows its numbers by the unmodified client."""
    registry = CollectorRegistry()
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    registry.url = f"http://127.0.0.1:{server.server_port}/metrics"
    yield registry
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def scraper_of():
    made = []

    def make(url, **options):
        made.append(Scraper(Target(url=url, **options)))
        return made[-1]

    yield make
    for scraper in made:
        scraper.close()


def asked(scraper):
    scrape = scraper.scrape()
    scraper.exposition.commit()
    return {one.metric: one for one in scrape.points if one.metric not in OWN}


class TestCountersAndGauges:
    def test_are_told_as_growth_and_as_they_are(self, program, scraper_of):
        orders = Counter("orders", "…", ["kind"], registry=program)
        queue = Gauge("queue", "…", registry=program)
        orders.labels("book").inc(5)
        scraper = scraper_of(program.url)
        asked(scraper)
        orders.labels("book").inc(3)
        queue.set(-2)

        points = asked(scraper)

        assert ("counter", 3) == (points["orders_total"].kind, points["orders_total"].value)
        assert "book" == points["orders_total"].attributes["kind"]
        assert ("gauge", -2) == (points["queue"].kind, points["queue"].value)

    def test_that_are_new_since_the_last_time_are_told_whole(self, program, scraper_of):
        scraper = scraper_of(program.url)
        asked(scraper)
        Counter("late", "…", registry=program).inc(7)

        assert 7 == asked(scraper)["late_total"].value

    def test_that_began_again_are_told_since_then(self, page, scraper_of):
        scraper = scraper_of(page.url)
        for value, grown in ((5, None), (9, 4), (2, 2), (2, 0)):
            page.answer = (200, {}, f"# TYPE a_total counter\na_total {value}\n".encode())
            point = asked(scraper).get("a_total")

            assert grown == (point and point.value)

    def test_are_found_the_next_time_if_they_were_not_kept(self, page, scraper_of):
        scraper = scraper_of(page.url)
        page.answer = (200, {}, b"# TYPE a_total counter\na_total 5\n")
        asked(scraper)
        page.answer = (200, {}, b"# TYPE a_total counter\na_total 8\n")
        scraper.scrape()

        assert 3 == asked(scraper)["a_total"].value

    def test_are_told_as_growth_though_the_clock_was_set_back(self):
        exposition = Exposition({}, max_samples=10)
        grown = []
        for now, value in ((9_000, 5), (9_001, 8), (100, 12), (101, 13)):
            families = text_string_to_metric_families(f"# TYPE a_total counter\na_total {value}\n")
            grown += [(point.time, point.value) for point in exposition.points(families, now)]
            exposition.commit()

        assert [(9_001, 3), (100, 4), (101, 1)] == grown

    def test_that_are_no_numbers_are_left_out(self, page, scraper_of):
        page.answer = (200, {}, b"a NaN\nb +Inf\nc 1\n")

        assert {"c"} == set(asked(scraper_of(page.url)))

    def test_keep_the_time_they_say(self, page, scraper_of):
        page.answer = (200, {}, b"a 1 1600000000000\n")

        assert 1600000000 * 10**9 == asked(scraper_of(page.url))["a"].time


class TestHistograms:
    def test_become_buckets_of_ours(self, program, scraper_of):
        wait = Histogram("wait_seconds", "…", registry=program)
        scraper = scraper_of(program.url)
        asked(scraper)
        for n in range(1000):
            wait.observe(n / 1000)

        point = asked(scraper)["wait_seconds"]

        assert ("distribution", 1000) == (point.kind, point.count)
        assert point.value == pytest.approx(499.5)
        assert quantile(point.buckets, 0.5) == pytest.approx(0.5, rel=0.05)

    def test_of_summaries_are_counters_and_gauges(self, page, scraper_of):
        text = '# TYPE s summary\ns{{quantile="0.5"}} 3\ns_sum {0}\ns_count {0}\n'
        scraper = scraper_of(page.url)
        for n in (1, 5):
            page.answer = (200, {}, text.format(n).encode())
            points = asked(scraper)

        assert [3, 4, 4] == [points[name].value for name in ("s", "s_sum", "s_count")]

    def test_of_openmetrics_say_when_they_began(self, page, scraper_of):
        kind = {"Content-Type": "application/openmetrics-text; version=1.0.0"}
        text = "# TYPE a counter\n# UNIT a_seconds seconds\na_total {}\na_created {}\n# EOF\n"
        text = text.replace("# UNIT a_seconds seconds\n", "")
        scraper = scraper_of(page.url)
        page.answer = (200, kind, text.format(5, 1600000000).encode())
        asked(scraper)
        page.answer = (200, kind, text.format(6, 4000000000).encode())

        points = asked(scraper)

        assert {"a_total"} == set(points)
        assert 6 == points["a_total"].value


class TestTargets:
    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ((500, {}, b""), "status"),
            ((200, {}, b"a{b 1\n"), "not_readable"),
            ((200, {}, b"a 1\n" * 2_000), "too_large"),
            ((200, {"Content-Type": "application/openmetrics-text"}, b"a 1\n"), "not_readable"),
            ((200, {}, b"".join(b"a%d 1\n" % n for n in range(60))), "not_readable"),
        ],
    )
    def test_that_say_nonsense_are_down(self, page, scraper_of, answer, reason):
        page.answer = answer

        scrape = scraper_of(page.url, max_bytes=4_000, max_samples=50).scrape()

        assert reason == scrape.reason
        assert {"up": 0.0} == {p.metric: p.value for p in scrape.points if p.metric == "up"}

    def test_that_are_away_are_down(self, scraper_of):
        assert "not_reached" == scraper_of("http://127.0.0.1:1/metrics").scrape().reason

    def test_are_shown_who_asks(self, page, scraper_of):
        scraper_of(page.url, token="secret").scrape()
        scraper_of(page.url, username="ada", password="pw").scrape()

        told = [headers["Authorization"] for headers in page.asked]
        assert ["Bearer secret", "Basic YWRhOnB3"] == told

    def test_give_their_labels_to_what_they_tell(self, page, scraper_of):
        page.answer = (200, {}, b'a{zone="x"} 1\n')
        scraper = scraper_of(page.url, labels={"zone": "eu"})

        attributes = asked(scraper)["a"].attributes
        assert ("eu", "x") == (attributes["zone"], attributes["exported_zone"])
        assert attributes["instance"].startswith("127.0.0.1:")

    @pytest.mark.parametrize("wrong", [{"url": "ftp://x"}, {"url": "http://x", "interval_s": 0}])
    def test_that_cannot_be_are_refused_at_the_start(self, wrong):
        with pytest.raises(ConfigError, match=r"sources\.prometheus\.targets"):
            make_sources({"prometheus": {"targets": [wrong]}})

    @given(st.text(max_size=200))
    def test_may_say_anything(self, text):
        exposition = Exposition({}, max_samples=100)
        try:
            families = list(text_string_to_metric_families(text))
        except Exception:  # noqa: BLE001 - theirs, and caught where it is called
            return

        exposition.points(families, 1)


class TestSource:
    @pytest.fixture
    async def source_of(self, taking):
        made = []

        async def make(*urls):
            targets = [{"url": url, "service": "shop", "interval_s": 0.2} for url in urls]
            made.append(SOURCES.build("prometheus", {"targets": targets}))
            await made[-1].start(taking.door())
            return made[-1]

        yield make
        for source in made:
            await source.stop()

    async def test_keeps_every_growth_exactly_once(self, taking, source_of, program):
        orders = Counter("orders", "…", registry=program)
        await source_of(program.url)
        await until(lambda: points(taking, "up"))
        for _ in range(20):
            orders.inc()
            await asyncio.sleep(0.03)
        await until(lambda: 20 <= sum(points(taking, "orders_total")))

        assert 20 == sum(points(taking, "orders_total"))

    async def test_asks_the_others_while_one_is_away(self, taking, source_of, page):
        source = await source_of("http://127.0.0.1:1/metrics", page.url)
        await until(lambda: {0.0, 1.0} <= set(points(taking, "up")))
        assert source.describe()["trouble"].startswith("1 of 2 targets cannot be read: is it up")
        told = source.describe()["targets"]["http://127.0.0.1:1/metrics"]
        assert "it cannot be reached: Connection refused" == told

        (frame, *_) = [decode_frame(record.payload) for record in taking.records()]
        assert "shop" == frame.resource.service


def points(taking, metric):
    frames = [decode_frame(record.payload) for record in taking.records()]
    rows = [row for frame in frames for block in frame.blocks for row in rows_of(block)]
    return [row.value for row in rows if row.metric == metric]


async def until(is_so):
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.05)
