"""The unmodified @sentry/node against a live agent: all it says is stored."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(120)
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def told(live, node):
    """An agent that was told one of everything."""
    command = [node("@sentry/node"), HERE / "programs" / "sentry_all.mjs", live.dsn(7)]
    done = subprocess.run(
        command, check=False, capture_output=True, timeout=60, env=live.environment
    )
    assert (0, b"") == (done.returncode, done.stderr)
    live.settled(8)
    return live


class TestSentryForNode:
    def test_has_its_spans_stored_under_their_user(self, told):
        spans = told.rows("spans")

        assert [("order", "internal", "ada"), ("SELECT 1", "client", "ada")] == [
            (row["name"], row["kind"], row["user_id"]) for row in spans
        ]
        assert spans[0]["span_id"] == spans[1]["parent_id"]

    def test_has_its_error_stored_with_its_cause(self, told):
        error = told.rows("errors")[0]

        assert ("TypeError", "bad 7", "sentry_all.pay", "ada") == tuple(
            error[key] for key in ("type", "message", "culprit", "user_id")
        )
        chain = json.loads(error["stack"])["chain"]
        assert ["TypeError", "SyntaxError"] == [link["type"] for link in chain]
        assert told.rows("spans")[0]["span_id"] == error["span_id"]

    def test_has_its_message_stored_as_one(self, told):
        error = told.rows("errors")[1]

        assert ("Message", "paid", "warning") == (error["type"], error["message"], error["level"])

    def test_has_everything_else_stored(self, told):
        (log,), (point,) = told.rows("logs"), told.rows("points")
        (event,), (checkin,) = told.rows("events"), told.rows("checkins")

        assert ("warn", "paid 3") == (log["level"], log["body"])
        assert ("orders", 2.0, "north") == (
            point["metric"],
            point["value"],
            point["attributes"]["shop"],
        )
        assert "too slow" == event["attributes"]["feedback.message"]
        assert ("nightly", "every 300s") == (checkin["monitor"], checkin["attributes"]["schedule"])

    def test_has_everything_in_the_books(self, told, tally):
        books = told.books()
        tally("@sentry/node", captured=8, stored=books["stored"], counted=books["dropped"])

        assert (8, 8, True) == (books["captured"], books["stored"], books["adds_up"])
