"""What users do, and their sessions."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

import qmon_sdk as qmon
from qmon_sdk.sessions import end_session, start_session


class TestTrack:
    def test_keeps_what_happened_for_whom(self, qmon_capture):
        with qmon.new_scope(user={"id": "u-1"}, flags={"new-till": "b"}):
            event_id = qmon.track(
                "paid", {"amount": 12, "token": "t"}, groups={"shop": "eu"}, fast=True
            )
        (event,) = qmon_capture.events
        assert (event.event_id, event.name, event.user_id) == (event_id, "paid", "u-1")
        assert event.attributes == {
            "amount": "12",
            "token": "[scrubbed]",
            "fast": "true",
            "flag.new-till": "b",
            "group.shop": "eu",
        }

    def test_is_silent_before_init(self):
        assert qmon.track("paid", {"amount": 1}) is None
        assert qmon.identify("u-1") is None

    def test_counts_on_within_the_process(self, qmon_capture):
        for _ in range(3):
            qmon.track("step")
        first, second, third = (event.sequence for event in qmon_capture.events)
        assert (second, third) == (first + 1, first + 2)

    @pytest.mark.parametrize(
        "moment",
        [
            1_700_000_000_000_000_000,
            1_700_000_000,
            1_700_000_000.0,
            dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC),
        ],
    )
    def test_takes_a_time_in_any_form(self, qmon_capture, moment):
        qmon.track("paid", timestamp=moment)
        assert qmon_capture.events[0].time == 1_700_000_000_000_000_000


class TestIdentify:
    def test_joins_the_anonymous_user_with_the_known(self, qmon_capture):
        with qmon.session():
            qmon.track("looked")
            qmon.identify("u-1", {"plan": "pro"})
            qmon.track("bought")
        looked, identified, bought = qmon_capture.events
        assert looked.user_id == ""
        assert looked.anonymous_id == identified.anonymous_id != ""
        assert (identified.name, identified.attributes) == ("identify", {"plan": "pro"})
        assert identified.user_id == bought.user_id == "u-1"


class TestFeature:
    def test_as_a_statement_notes_one_use(self, qmon_capture):
        qmon.feature("export", {"format": "csv"})
        (event,) = qmon_capture.events
        assert event.attributes == {"feature.name": "export", "format": "csv"}

    def test_as_a_decorator_notes_every_call_and_nothing_else(self, qmon_capture):
        @qmon.feature("export")
        def export(rows):
            return rows

        assert qmon_capture.events == []
        assert [export(1), export(2)] == [1, 2]
        assert [event.attributes["feature.name"] for event in qmon_capture.events] == ["export"] * 2

    def test_as_what_a_callback_returns_notes_a_use(self, qmon_capture):
        on_click = lambda: qmon.feature("button")  # noqa: E731
        on_click()
        assert len(qmon_capture.events) == 1

    async def test_keeps_coroutines_and_generators_what_they_are(self, qmon_capture):
        @qmon.feature
        async def fetch():
            return 1

        @qmon.feature("stream")
        async def stream():
            received = yield 1
            yield received

        assert asyncio.iscoroutinefunction(fetch)
        assert await fetch() == 1
        items = stream()
        assert (await anext(items), await items.asend("sent")) == (1, "sent")
        await items.aclose()
        assert len(qmon_capture.events) == 2


class TestSession:
    def test_owns_the_error_that_left_it_wherever_that_is_captured(self, qmon_capture):
        try:
            with qmon.session(user="u-1") as session:
                session_id = session.session_id
                raise LookupError("gone")
        except LookupError:
            qmon.capture_exception()

        (error,) = qmon_capture.errors
        assert (error.user_id, error.session_id) == ("u-1", session_id)

    def test_is_healthy_when_nothing_went_wrong(self, qmon_capture):
        with qmon.session(user="u-1") as session:
            qmon.track("step")
        (told,) = qmon_capture.sessions
        assert (told.status, told.errors, told.user_id) == ("healthy", 0, "u-1")
        assert session.session_id == ""
        assert qmon_capture.events[0].session_id == told.session_id
        assert told.time - told.started == pytest.approx(told.duration_ns, abs=50_000_000)

    def test_is_errored_by_an_error_that_was_handled(self, qmon_capture):
        with qmon.session():
            qmon.capture_exception(ValueError())
            qmon.capture_exception(KeyError())
        (told,) = qmon_capture.sessions
        assert (told.status, told.errors) == ("errored", 2)
        assert {error.session_id for error in qmon_capture.errors} == {told.session_id}

    def test_is_crashed_by_an_error_that_nobody_handled(self, qmon_capture):
        with pytest.raises(ValueError, match="gone"), qmon.session():
            raise ValueError("gone")
        (told,) = qmon_capture.sessions
        assert (told.status, told.errors) == ("crashed", 1)

    def test_counts_an_error_once_however_it_leaves(self, qmon_capture):
        error = ValueError("gone")
        with qmon.session():
            qmon.capture_exception(error)
            qmon.capture_exception(error, handled=False)
        with pytest.raises(ValueError, match="gone"), qmon.session():
            raise error
        told = [(told.status, told.errors) for told in qmon_capture.sessions]
        assert told == [("crashed", 1), ("crashed", 0)]

    @pytest.mark.parametrize(
        ("stop", "status"),
        [
            (SystemExit(0), "healthy"),
            (SystemExit(3), "abnormal"),
            (SystemExit([0]), "abnormal"),
            (KeyboardInterrupt(), "abnormal"),
            (asyncio.CancelledError(), "healthy"),
        ],
    )
    def test_is_no_crash_when_it_was_told_to_stop(self, qmon_capture, stop, status):
        with pytest.raises(type(stop)), qmon.session():
            raise stop
        assert qmon_capture.sessions[0].status == status

    async def test_is_an_async_context_manager_too(self, qmon_capture):
        async with qmon.session(mode="request"):
            await asyncio.sleep(0)
        assert qmon_capture.sessions[0].attributes == {"mode": "request"}

    def test_counts_the_errors_of_sessions_inside(self, qmon_capture):
        with qmon.session(), qmon.session():
            qmon.capture_exception(ValueError())
        assert [told.errors for told in qmon_capture.sessions] == [1, 1]

    def test_numbers_its_events_from_one(self, qmon_capture):
        for _ in range(2):
            with qmon.session():
                qmon.track("a")
                qmon.track("b")
        assert [event.sequence for event in qmon_capture.events] == [1, 2, 1, 2]

    def test_can_be_begun_and_ended_without_a_block(self, qmon_capture):
        session_id = start_session(user="u-1")
        end_session("abnormal")
        end_session()
        qmon.set_user(None)
        (told,) = qmon_capture.sessions
        assert (told.session_id, told.status, told.user_id) == (session_id, "abnormal", "u-1")

    def test_is_silent_before_init(self):
        with qmon.session() as session:
            assert session.session_id == ""
