"""OpenTelemetry's SDKs, of Python and of JavaScript, against a live agent: all is stored."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(120)
HERE = Path(__file__).parent
SPANS = 500


@pytest.fixture(scope="module")
def told(live, node):
    """An agent that was told everything by a program on Node."""
    program = HERE / "programs" / "otel_all.mjs"
    command = [node("@opentelemetry/sdk-trace-node"), program, live.url, live.token, str(SPANS)]
    done = subprocess.run(
        command, check=False, capture_output=True, timeout=60, env=live.environment
    )
    assert (0, b"") == (done.returncode, done.stderr)
    live.until("spans WHERE service = 'shop-js'", 2 * (SPANS + 1), "span_id")
    live.until("logs", 1)
    live.until("errors", 1)
    return live


def counted(live, name):
    """How many spans of a name are stored, and how many different ones."""
    columns = "count(*) AS n, count(DISTINCT span_id) AS ids"
    sql = f"SELECT {columns} FROM spans WHERE name = '{name}'"
    (row,) = live.ask("/api/query", {"sql": sql})["rows"]
    return row["n"], row["ids"]


class TestOpenTelemetryForPython:
    def test_has_each_span_stored_once(self, live, tally):
        live.environment |= {
            "OTEL_SERVICE_NAME": "shop-py",
            "OTEL_EXPORTER_OTLP_ENDPOINT": live.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{live.token}",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        }
        live.run("otel_spans.py", "5000")
        live.until("spans WHERE name = 'order'", 5000, "span_id")

        assert (5000, 5000) == counted(live, "order")
        tally("opentelemetry-sdk (Python)", captured=5000, stored=counted(live, "order")[0])


class TestOpenTelemetryForJavaScript:
    def test_has_each_span_stored_from_json_and_from_protobuf(self, told):
        assert (2 * SPANS, SPANS) == counted(told, "charge")
        assert (2, 1) == counted(told, "fail")

    def test_has_attributes_of_every_kind(self, told):
        (row, *_) = told.rows("spans WHERE name = 'charge'")

        assert ('["a","b"]', "true", "checkout") == tuple(
            row["attributes"][key] for key in ("list", "good", "otel.scope.name")
        )
        assert ("shop-js", "3") == (row["service"], row["release"])

    def test_has_its_exception_stored_once_as_an_error(self, told):
        (error,) = told.rows("errors")

        (link,) = json.loads(error["stack"])["chain"]
        assert ("TypeError", True) == (error["type"], "otel_all.mjs" in link["frames"][-1]["file"])
        assert told.rows("spans WHERE name = 'fail'")[0]["span_id"] == error["span_id"]

    def test_has_its_numbers_add_up(self, told):
        told.until("points", 6)
        sums = {"orders": 0.0, "size": 0.0}
        for row in told.rows("points"):
            sums[row["metric"]] += row["value"]

        assert {"orders": 6.0, "size": 60.0} == sums

    def test_has_its_line_stored(self, told):
        (line,) = told.rows("logs")

        assert ("warn", '{"low":"stock"}', "checkout") == (
            line["level"],
            line["body"],
            line["logger"],
        )

    def test_has_all_of_it_stored(self, told, tally):
        said = 2 * (SPANS + 1) + 1 + 1  # spans by JSON and by protobuf, an exception, a line
        spans = told.rows("spans WHERE service = 'shop-js'", "span_id")
        stored = len(spans) + len(told.rows("errors")) + len(told.rows("logs"))

        tally("@opentelemetry/sdk-node (JavaScript)", captured=said, stored=stored)
