"""The unmodified sentry-sdk against a live agent: all is stored, or counted with a reason."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def told(live):
    """An agent that was told one of everything."""
    live.run("sentry_all.py", live.dsn(42))
    live.settled(14)
    return live


class TestSentrySdk:
    def test_has_its_spans_stored_as_one_trace(self, told):
        spans = told.rows("spans")

        assert ["/orders/{id}", "GET", "SELECT"] == sorted(span["name"] for span in spans)
        assert 1 == len({span["trace_id"] for span in spans})
        assert {"server", "client"} == {span["kind"] for span in spans}

    def test_has_its_errors_stored_with_what_the_scope_knew(self, told):
        error = told.rows("errors")[0]

        attributes = error["attributes"]
        assert ("ValueError", "bad 7", "ada") == (error["type"], error["message"], error["user_id"])
        assert ("blue", '{"total":"12"}') == (attributes["tag.color"], attributes["context.order"])
        assert ["step"] == [crumb["message"] for crumb in json.loads(attributes["breadcrumbs"])]
        assert told.rows("spans")[0]["trace_id"] == error["trace_id"]

    def test_has_its_chain_stored_with_source_and_variables(self, told):
        first, cause = json.loads(told.rows("errors")[0]["stack"])["chain"]

        assert ("ValueError", "KeyError", "cause") == (
            first["type"],
            cause["type"],
            cause["relation"],
        )
        assert ("fail", "7") == (
            first["frames"][-1]["function"],
            first["frames"][-1]["locals"]["number"],
        )

    def test_has_messages_logs_and_numbers_stored(self, told):
        messages = [row["message"] for row in told.rows("errors") if row["type"] == "Message"]
        log = told.rows("logs")[0]

        assert ["paid 5 times", "with attachment"] == messages
        assert ("warn", "paid 3", "paid {amount}") == (log["level"], log["body"], log["template"])
        assert {("orders", 2.0), ("latency", 2.5), ("browser.web_vital.lcp", 12.5)} == {
            (row["metric"], row["value"]) for row in told.rows("points")
        }

    def test_has_sessions_and_check_ins_stored(self, told):
        session, checkin = told.rows("sessions")[0], told.rows("checkins")[0]

        assert ("errored", 1, "ada") == (session["status"], session["errors"], session["user_id"])
        assert ("nightly", "ok", 1_500_000_000) == (
            checkin["monitor"],
            checkin["status"],
            checkin["duration_ns"],
        )
        assert ("0 3 * * *", "300") == tuple(
            checkin["attributes"][key] for key in ("schedule", "margin_s")
        )

    def test_has_everything_in_the_books(self, told, tally):
        books = told.books()

        kinds = {"span": 3, "error": 4, "log": 1, "point": 3, "session": 1, "checkin": 1}
        assert {**kinds, "attachment": 1} == books["captured_by_kind"]
        assert {"error/before_send": 1, "attachment/not_kept": 1} == books["dropped_by_reason"]
        tally("sentry-sdk", captured=14, stored=books["stored"], counted=books["dropped"])
        assert (12, True) == (books["stored"], books["adds_up"])

    def test_is_said_by_one_release_of_one_service(self, told):
        rows = [*told.rows("errors"), *told.rows("spans"), *told.rows("logs"), *told.rows("points")]

        assert {("project-42", "shop@1.2", "staging", "host-1")} == {
            (row["service"], row["release"], row["environment"], row["host"]) for row in rows
        }
