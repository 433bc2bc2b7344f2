"""What becomes of each item of an envelope."""

from __future__ import annotations

import json

import pytest
from sentry_sdk.utils import event_from_exception

import qmon_sdk as qmon
from qmon_agent.ingest.sentry.items import KINDS, translated
from qmon_sdk.protocol.columns import blocks_of, rows_of
from qmon_sdk.testing import capture

SECOND = 1_000_000_000


def made_of(kind, said, **headers):
    """The signals that an item becomes, and what is dropped of it."""
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    head = json.dumps({"type": kind, "length": len(payload), **headers}).encode()
    parcel, gathered = translated(
        b'{"event_id":"ab"}\n' + head + b"\n" + payload, service="shop", now=SECOND
    )
    signals = [signal for _, group in parcel.groups for signal in group]
    return [row for block in blocks_of(signals) for row in rows_of(block)], gathered


def one(kind, said):
    (signal, *_), _ = made_of(kind, said)
    return signal


def raise_it():
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError("outer") from error


def read_it():
    json.loads("{")


def raise_them():
    raise ExceptionGroup("g", [KeyError("a"), ValueError("b"), KeyError("c")])


def caught(function):
    try:
        function()
    except Exception as error:  # noqa: BLE001 - whatever it raises
        return error


class TestEvent:
    @pytest.mark.parametrize("function", [raise_it, read_it, raise_them])
    def test_is_grouped_with_the_same_bug_told_by_our_own_sdk(self, function):
        error = caught(function)
        event, _ = event_from_exception(error)
        with capture() as captured:
            qmon.capture_exception(error)

        theirs = one("event", event)
        assert captured.errors[0].grouping == theirs.grouping
        assert captured.errors[0].culprit == theirs.culprit
        assert captured.errors[0].type == theirs.type

    def test_is_grouped_as_its_fingerprint_says(self):
        plain, own, more = (
            one("event", {"message": "m", **said}).grouping
            for said in ({}, {"fingerprint": ["a"]}, {"fingerprint": ["{{ default }}"]})
        )

        assert (plain, True) == (more, plain != own)

    def test_is_handled_unless_its_mechanism_denies_it(self):
        value = {"type": "E", "mechanism": {"handled": False}}

        assert not one("event", {"exception": {"values": [value]}}).handled
        assert one("event", {"exception": {"values": [{"type": "E"}]}}).handled

    def test_of_javascript_is_read_as_well(self):
        frame = {"filename": "/app/pay.js", "function": "pay", "lineno": 3, "in_app": True}
        value = {"type": "TypeError", "value": "x", "stacktrace": {"frames": [frame]}}

        error = one("event", {"exception": {"values": [value]}, "platform": "node"})

        assert ("TypeError", "pay.js.pay") == (error.type, error.culprit)

    def test_tells_its_request_without_its_secrets(self):
        headers = {"User-Agent": "curl", "Cookie": "a=b", "X-Api-Key": "s", "Accept": "*/*"}
        request = {"method": "POST", "url": "http://h/p?q=1", "query_string": "q=1"}

        attributes = one(
            "event", {"message": "m", "request": {**request, "headers": headers}}
        ).attributes

        assert ("POST", "http://h/p", "/p", "q=1", "curl", "*/*") == tuple(
            attributes[key]
            for key in (
                "http.request.method",
                "url.full",
                "url.path",
                "url.query",
                "user_agent.original",
                "http.request.header.accept",
            )
        )
        assert not {"a=b", "s"} & {*attributes.values()}


class TestTransaction:
    def test_renames_what_the_conventions_have_renamed(self):
        trace = {"op": "http.server", "data": {"http.method": "GET", "http.status_code": 200}}
        said = {"transaction": "/a", "contexts": {"trace": trace}}

        span = one("transaction", said)

        assert ("GET /a", "server") == (span.name, span.kind)
        assert "200" == span.attributes["http.response.status_code"]

    @pytest.mark.parametrize(
        ("op", "status", "expected"),
        [
            ("http.server", "not_found", "unset"),
            ("http.client", "not_found", "error"),
            ("http.server", "internal_error", "error"),
            ("task", "ok", "ok"),
            ("task", None, "unset"),
        ],
    )
    def test_has_failed_where_it_is_not_its_callers_fault(self, op, status, expected):
        trace = {"op": op, "status": status}

        assert expected == one("transaction", {"contexts": {"trace": trace}}).status

    def test_named_by_a_path_as_it_was_sent_is_named_by_its_method(self):
        said = {
            "transaction": "/user/7",
            "transaction_info": {"source": "url"},
            "request": {"method": "GET"},
            "contexts": {"trace": {"op": "http.server"}},
        }

        assert "GET" == one("transaction", said).name

    def test_takes_a_statement_as_text_and_not_as_a_name(self):
        child = {"op": "db.sql", "description": "SELECT a FROM t", "data": {"db.system": "x"}}

        signals, _ = made_of("transaction", {"spans": [child]})

        assert ("SELECT", "SELECT a FROM t", "x") == (
            signals[1].name,
            signals[1].attributes["db.query.text"],
            signals[1].attributes["db.system.name"],
        )


class TestSessions:
    def test_are_kept_at_their_end_only(self):
        updates = [made_of("session", {"sid": "a", "status": status})[0] for status in ("ok", "x")]

        assert [[], []] == updates
        assert "crashed" == one("session", {"sid": "a", "status": "crashed"}).status

    def test_that_come_added_up_are_so_many_of_their_own(self):
        bucket = {"started": "1970-01-01T00:01:00Z", "exited": 3, "crashed": 1}

        signals, _ = made_of("sessions", {"aggregates": [bucket], "attrs": {"release": "1"}})

        assert ["crashed", "healthy", "healthy", "healthy"] == sorted(s.status for s in signals)
        assert 4 == len({signal.session_id for signal in signals})

    def test_beyond_what_one_item_may_hold_are_counted(self):
        signals, gathered = made_of("sessions", {"aggregates": [{"exited": 1 << 40}]})

        assert 10_000 == len(signals)
        assert {"session/too_many": (1 << 40) - 10_000} == gathered.dropped


class TestCheckIn:
    @pytest.mark.parametrize(
        ("schedule", "expected"),
        [
            ({"type": "crontab", "value": "@daily"}, "0 0 * * *"),
            ({"type": "interval", "value": 2, "unit": "hour"}, "every 7200s"),
            ({"type": "crontab", "value": "nonsense"}, None),
            ({}, None),
        ],
    )
    def test_brings_the_schedule_of_its_monitor(self, schedule, expected):
        config = {"schedule": schedule, "max_runtime": 2, "timezone": "UTC"}

        checkin = one("check_in", {"monitor_slug": "m", "monitor_config": config})

        assert (expected, "120") == (
            checkin.attributes.get("schedule"),
            checkin.attributes["max_runtime_s"],
        )


class TestReport:
    def test_is_entered_into_the_books(self):
        lost = [
            {"reason": "queue_overflow", "category": "error", "quantity": 2},
            {"reason": "sample_rate", "category": "span", "quantity": 5},
            {"reason": "sample_rate", "category": "transaction", "quantity": 1},
            {"reason": "anything at all", "category": "log_item", "quantity": 1},
            {"reason": "before_send", "category": "error", "quantity": -7},
        ]

        _, gathered = made_of("client_report", {"discarded_events": lost})

        assert {"error/queue_overflow": 2, "span/sample_rate": 5, "log/other": 1} == (
            gathered.dropped
        )


class TestEveryItem:
    @pytest.mark.parametrize("kind", [k for k, v in KINDS.items() if v.keep])
    @pytest.mark.parametrize(
        "payload", [b"[", b"[]", b"null", b"\xff", b'{"a":' * 50_000, b"1" * 5000]
    )
    def test_that_is_no_object_is_counted(self, kind, payload):
        signals, gathered = made_of(kind, payload)

        reason = "too_large" if len(payload) > KINDS[kind].max_bytes else "invalid"
        assert ([], {f"{KINDS[kind].kind}/{reason}": 1}) == (signals, gathered.dropped)

    @pytest.mark.parametrize("kind", ["event", "transaction", "session", "check_in"])
    def test_that_is_too_large_is_counted(self, kind):
        signals, gathered = made_of(kind, b'{"a":"' + b"x" * (1 << 20) + b'"}')

        assert ([], {f"{KINDS[kind].kind}/too_large": 1}) == (signals, gathered.dropped)

    def test_that_nobody_knows_is_counted(self):
        assert {"item/unknown_type": 1} == made_of("\u2603" * 50, b"{}")[1].dropped

    @pytest.mark.parametrize("kind", ["attachment", "profile", "replay_recording"])
    def test_that_is_not_kept_is_counted(self, kind):
        assert [1] == [*made_of(kind, b"\0\1\2")[1].dropped.values()]
