"""What a Prometheus, a Sentry and a PostHog kept is brought in, once, at the times it happened."""

from __future__ import annotations

import csv
import gzip
import json
import random
import shutil
import subprocess
import time
import urllib.request

import pytest
from ports import free_port

BEGAN, STEP, SAMPLES = 1_790_000_000, 15, 400
BOUNDS = ("0.1", "1", "+Inf")
GAUGE = "SELECT epoch_ns(time) // 1000000 AS ms, value FROM points WHERE metric = 'temp' ORDER BY 1"
GROWN = "SELECT sum(value) AS n FROM points WHERE metric = 'hits_total'"
HEAPS = "SELECT sum(count) AS n, sum(value) AS total FROM points WHERE metric = 'lat'"
ERRORS = "SELECT service, type, message, culprit, release, level FROM errors ORDER BY time"


class Told:
    """What was told to Prometheus, and what is to be here afterwards."""

    def __init__(self, began=BEGAN):
        dice, self.gauge, hits, lines = random.Random(3), [], 0, {"t": [], "h": [], "l": []}
        self.hits, self.heap, counts, total = 0, 0, dict.fromkeys(BOUNDS, 0), 0.0
        for n in range(SAMPLES):
            second = began + STEP * n
            value = dice.choice([0.0, 21.5, dice.gauss(20, 5), -1e300, 5e-324])
            self.gauge.append({"ms": second * 1000, "value": value})
            lines["t"].append(f'temp{{job="shop",room="a"}} {value!r} {second}')
            grown = dice.randrange(9)
            hits = grown if n == SAMPLES // 2 else hits + grown
            self.hits += grown if n else 0
            lines["h"].append(f'hits_total{{job="shop"}} {hits} {second}')
            for bound in BOUNDS:
                counts[bound] += n
                lines["l"].append(f'lat_bucket{{job="shop",le="{bound}"}} {counts[bound]} {second}')
            total += n / 2
            lines["l"].append(f'lat_sum{{job="shop"}} {total} {second}')
            lines["l"].append(f'lat_count{{job="shop"}} {counts["+Inf"]} {second}')
            self.heap += n
        by_series = sorted(lines["l"], key=lambda line: line.split()[0])
        self.text = "\n".join(
            (
                *("# TYPE temp gauge", *lines["t"], "# TYPE hits counter", *lines["h"]),
                *("# TYPE lat histogram", *by_series, "# EOF\n"),
            )
        )


@pytest.fixture
def blocks(missing, tmp_path):
    """Blocks that Prometheus's own tool made of what was told."""
    if not shutil.which("promtool"):
        missing("prometheus")

    def make(told, name="blocks"):
        (tmp_path / "told.txt").write_text(told.text)
        run = ["promtool", "tsdb", "create-blocks-from", "openmetrics"]
        subprocess.run([*run, tmp_path / "told.txt", tmp_path / name], check=True, timeout=60)
        return tmp_path / name

    return make


@pytest.fixture
def shop(home):
    """An agent, and what it answers once everything that came is stored."""
    config = home.directory / "qmon.toml"
    config.write_text("[sources.spool]\ninterval_s = 0.2\n[samplers]\nenabled = false\n")
    home.start("--config", str(config))

    def until(sql, wanted):
        home.until(lambda: home.ask("query", sql)["rows"] == wanted)

    home.stores = until
    return home


@pytest.fixture
def prometheus(missing, tmp_path):
    """A real server on a directory of data; its address."""
    if not shutil.which("prometheus"):
        missing("prometheus")
    (tmp_path / "prometheus.yml").write_text("global: {}\n")
    running = []

    def start(directory):
        port = free_port()
        run = ["prometheus", f"--config.file={tmp_path}/prometheus.yml"]
        run += [f"--storage.tsdb.path={directory}", f"--web.listen-address=127.0.0.1:{port}"]
        run += ["--storage.tsdb.retention.time=50y"]
        running.append(subprocess.Popen(run, stderr=subprocess.DEVNULL))
        wait_for(f"http://127.0.0.1:{port}/-/ready")
        return f"http://127.0.0.1:{port}"

    yield start
    for server in running:
        server.kill()
        server.wait()


def wait_for(url):
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"{url} does not answer")


class TestPrometheus:
    def test_blocks_have_every_sample_and_are_brought_once(self, shop, blocks):
        told = Told()
        place = str(blocks(told))

        brought = shop.ask("import", "prometheus", place)
        again = shop.ask("import", "prometheus", place)

        assert brought["ok"]
        shop.stores(GAUGE, told.gauge)
        assert shop.ask("query", GROWN)["rows"] == [{"n": told.hits}]
        heaps = shop.ask("query", HEAPS)["rows"]
        assert heaps == [{"n": told.heap, "total": told.heap / 2}]
        assert again["signals"] == {}
        assert again["known"] == brought["lots"]

    def test_remote_read_has_every_sample_and_is_brought_once(self, shop, blocks, prometheus):
        told = Told(began=int(time.time()) // STEP * STEP - 4 * 3600)
        address = prometheus(blocks(told))
        asks = ("import", "prometheus", address, "--since", "5h", "--metrics", "temp|hits_total")

        brought = shop.ask(*asks)
        again = shop.ask(*asks)

        assert brought["ok"]
        shop.stores(GAUGE, told.gauge)
        assert shop.ask("query", GROWN)["rows"] == [{"n": told.hits}]
        assert again["signals"] == {}

    def test_a_damaged_chunk_is_counted_and_the_rest_is_brought(self, shop, blocks):
        place = blocks(Told())
        chunks = next(place.glob("*/chunks/000001"))
        content = bytearray(chunks.read_bytes())
        content[40] ^= 1
        chunks.write_bytes(content)

        brought = shop.ask("import", "prometheus", str(place))

        assert not brought["ok"]
        assert brought["left_out"]["damaged_chunk"] == 1
        assert brought["signals"]["point"] > SAMPLES


ISSUE_EVENT = {
    "eventID": "ab" * 16,
    "dateCreated": "2026-09-01T10:00:00Z",
    "platform": "python",
    "culprit": "shop.till in charge",
    "tags": [{"key": "level", "value": "error"}, {"key": "service", "value": "till"}],
    "release": {"version": "1.2.3"},
    "entries": [
        {
            "type": "exception",
            "data": {
                "values": [
                    {
                        "type": "ValueError",
                        "value": "no money",
                        "stacktrace": {
                            "frames": [
                                {
                                    "filename": "shop/till.py",
                                    "absPath": "/srv/shop/till.py",
                                    "module": "shop.till",
                                    "function": "charge",
                                    "lineNo": 7,
                                    "inApp": True,
                                    "context": [[6, "def charge():"], [7, "    raise"]],
                                }
                            ]
                        },
                    }
                ]
            },
        }
    ],
}
ISSUE = {
    "id": "77",
    "shortId": "SHOP-7",
    "title": "KeyError: 'basket'",
    "firstSeen": "2026-09-01T09:00:00Z",
    "lastSeen": "2026-09-02T09:00:00Z",
    "count": "12",
    "level": "fatal",
    "metadata": {"type": "KeyError", "value": "'basket'"},
    "project": {"slug": "shop"},
}


class TestSentry:
    def test_events_and_issues_are_errors_and_are_brought_once(self, shop):
        file = shop.directory / "export.json"
        file.write_text(json.dumps([ISSUE_EVENT, ISSUE, {"what": "else"}]))

        brought = shop.ask("import", "sentry", str(file))
        again = shop.ask("import", "sentry", str(file))
        packed = file.with_suffix(".json.gz")
        packed.write_bytes(gzip.compress(file.read_bytes()))

        assert brought["signals"] == {"error": 2}
        assert brought["left_out"] == {"neither_issue_nor_event": 1}
        assert again["signals"] == shop.ask("import", "sentry", str(packed))["signals"] == {}
        told = ("service", "type", "message", "culprit", "release", "level")
        first = ("till", "ValueError", "no money", "shop.till.charge", "1.2.3", "error")
        second = ("shop", "KeyError", "'basket'", "", "", "fatal")
        rows = [dict(zip(told, row, strict=True)) for row in (first, second)]
        shop.stores(ERRORS, rows)


ROWS = [
    {"uuid": f"{n:032x}", "event": "ordered", "distinct_id": f"user-{n}"}
    | {"timestamp": f"2026-09-01 10:00:{n:02}.000000+00:00", "properties": '{"price": 5}'}
    for n in range(20)
]


def as_json(path):
    path.write_text(json.dumps({"results": [*ROWS, {"event": "when?"}]}))


def as_lines(path):
    path.write_text("".join(json.dumps(row) + "\n" for row in [*ROWS, {"event": "when?"}]))


def as_csv(path):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ROWS[0])
        writer.writeheader()
        writer.writerows([*ROWS, {"event": "when?"}])


def as_parquet(path):
    import duckdb

    as_lines(path.with_suffix(".ndjson"))
    duckdb.sql(f"COPY (FROM '{path.with_suffix('.ndjson')}') TO '{path}' (FORMAT parquet)")


class TestPostHog:
    def test_events_of_every_form_are_brought_once(self, shop):
        forms = {"a.json": as_json, "b.ndjson": as_lines, "c.csv": as_csv, "d.parquet": as_parquet}
        for name, write in forms.items():
            write(shop.directory / name)
            brought = shop.ask("import", "posthog", str(shop.directory / name))
            assert brought["signals"] == {"event": 20}, name
            assert brought["left_out"] == {"no_time": 1}, name

        again = shop.ask("import", "posthog", str(shop.directory / "c.csv"))

        assert again["signals"] == {}
        count = (
            "SELECT count(*) AS n, count(DISTINCT event_id) AS ids, max(user_id) AS u FROM events"
        )
        shop.stores(count, [{"n": 80, "ids": 20, "u": "user-9"}])
