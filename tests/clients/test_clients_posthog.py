"""The unmodified PostHog client against a live agent: all it says is stored."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def told(live):
    """An agent that was told everything twice, once packed."""
    live.run("posthog_all.py", live.token, live.url)
    live.run("posthog_all.py", live.token, live.url, "gzip")
    live.settled(12)
    return live


class TestPosthog:
    def test_has_its_events_stored_with_who_and_where(self, told):
        event = next(row for row in told.rows("events") if row["name"] == "order paid")

        assert ("shop", "ada", "0190aa") == (
            event["service"],
            event["user_id"],
            event["session_id"],
        )
        assert ("12", "acme") == tuple(event["attributes"][k] for k in ("amount", "group.company"))
        assert 32 == len(event["event_id"])

    def test_has_people_stored_as_identify_tells_them(self, told):
        people = [row for row in told.rows("events") if row["name"] == "identify"]

        assert {("ada", ""), ("ada", "before")} >= {
            (row["user_id"], row["anonymous_id"]) for row in people if row["user_id"] == "ada"
        }
        assert "pro" in {row["attributes"].get("plan") for row in people}

    def test_has_nobody_stored_as_nobody(self, told):
        event = next(row for row in told.rows("events") if row["name"] == "looked around")

        assert ("", True) == (event["user_id"], bool(event["anonymous_id"]))

    def test_has_its_exceptions_stored_as_errors_of_one_group(self, told):
        errors = told.rows("errors")

        assert [("ValueError", "bad 7", "ada")] * 2 == [
            (row["type"], row["message"], row["user_id"]) for row in errors
        ]
        assert 1 == len({row["grouping"] for row in errors})
        assert ["ValueError", "KeyError"] == [
            link["type"] for link in json.loads(errors[0]["stack"])["chain"]
        ]

    def test_has_everything_in_the_books(self, told, tally):
        books = told.books()
        tally("posthog", captured=12, stored=books["stored"], counted=books["dropped"])
        names = ["$feature_flag_called", "identify", "identify", "looked around", "order paid"]

        assert sorted(2 * names) == sorted(row["name"] for row in told.rows("events"))
        stored = len(told.rows("events")) + len(told.rows("errors"))
        assert (stored, stored, 0) == (books["captured"], books["stored"], books["dropped"])
