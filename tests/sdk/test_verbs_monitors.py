"""Monitors and heartbeats: every run says that it began and how it ended, whatever it is."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

import pytest

import qmon_sdk as qmon
from qmon_sdk.protocol.schedules import ScheduleError

NIGHTLY = {"schedule": "0 3 * * *", "margin": "10m", "max_runtime": 3600, "timezone": "Asia/Tokyo"}


def statuses(told):
    return [checkin.status for checkin in told.all("checkin")]


class TestMonitor:
    def test_says_when_a_block_begins_and_ends(self, qmon_capture):
        with qmon.monitor("backup"):
            assert ["in_progress"] == statuses(qmon_capture)
        first, last = qmon_capture.all("checkin")
        assert ("backup", "ok", 0) == (last.monitor, last.status, first.duration_ns)
        assert last.duration_ns > 0
        assert first.attributes["checkin.id"] == last.attributes["checkin.id"]

    def test_says_what_is_known_of_the_schedule(self, qmon_capture):
        with qmon.monitor("backup", **NIGHTLY):
            pass
        for checkin in qmon_capture.all("checkin"):
            assert {
                "schedule": "0 3 * * *",
                "margin_s": "600",
                "max_runtime_s": "3600",
                "timezone": "Asia/Tokyo",
            }.items() <= checkin.attributes.items()

    def test_says_that_it_failed_and_lets_the_error_pass(self, qmon_capture):
        with pytest.raises(KeyError), qmon.monitor("backup"):
            raise KeyError("disk")
        assert ["in_progress", "error"] == statuses(qmon_capture)
        assert "KeyError" == qmon_capture.all("checkin")[1].attributes["error.type"]

    def test_names_the_error_that_was_kept(self, qmon_capture):
        error = KeyError("disk")
        error_id = qmon.capture_exception(error)
        with pytest.raises(KeyError), qmon.monitor("backup"):
            raise error
        assert error_id == qmon_capture.all("checkin")[1].attributes["error_id"]

    @pytest.mark.parametrize("end", [SystemExit(), SystemExit(0), GeneratorExit()])
    def test_takes_a_plain_end_for_none(self, qmon_capture, end):
        with pytest.raises(type(end)), qmon.monitor("backup"):
            raise end
        assert ["in_progress", "ok"] == statuses(qmon_capture)

    @pytest.mark.parametrize("end", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
    def test_takes_a_broken_off_run_for_failed(self, qmon_capture, end):
        with pytest.raises(type(end)), qmon.monitor("backup"):
            raise end
        assert ["in_progress", "error"] == statuses(qmon_capture)

    def test_knows_the_trace_it_runs_in(self, qmon_capture):
        with qmon.span("job") as span, qmon.monitor("backup"):
            pass
        assert span.trace_id == qmon_capture.all("checkin")[1].attributes["trace_id"]

    def test_may_be_entered_again_before_it_was_left(self, qmon_capture):
        backup = qmon.monitor("backup")
        with backup, backup:
            pass
        ids = [checkin.attributes["checkin.id"] for checkin in qmon_capture.all("checkin")]
        assert [ids[0], ids[1], ids[1], ids[0]] == ids

    def test_is_silent_before_init_and_after_shutdown(self, told):
        with qmon.monitor("backup", schedule="@daily"):
            qmon.shutdown(timeout=0)
        qmon.heartbeat("alive")
        assert ["in_progress"] == [c.status for f in told.frames for c in rows(f)]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_is_ended_by_the_process_that_began_it(self, ended):
        done = ended("""
            import os, qmon_sdk as qmon
            qmon.init(integrations=())
            with qmon.monitor("backup"):
                child = os.fork()
            if child:
                os.waitpid(child, 0)
        """)
        assert ["in_progress", "ok"] == [checkin.status for checkin in done.all("checkin")]


def rows(frame):
    from qmon_sdk.protocol.columns import rows_of

    return [row for block in frame.blocks if block.kind == "checkin" for row in rows_of(block)]


class TestDecorator:
    def test_names_the_job_after_the_function(self, qmon_capture):
        @qmon.monitor
        def nightly():
            return 42

        assert 42 == nightly()
        (name,) = {checkin.monitor for checkin in qmon_capture.all("checkin")}
        assert name.endswith(".nightly")

    async def test_watches_coroutines_to_their_end(self, qmon_capture):
        @qmon.monitor("nightly")
        async def nightly():
            await asyncio.sleep(0)
            assert ["in_progress"] == statuses(qmon_capture)

        await nightly()
        assert ["in_progress", "ok"] == statuses(qmon_capture)

    def test_watches_generators_to_their_end(self, qmon_capture):
        @qmon.monitor("nightly")
        def nightly():
            yield from range(3)

        assert [0, 1, 2] == list(nightly())
        assert ["in_progress", "ok"] == statuses(qmon_capture)

    def test_keeps_runs_at_the_same_time_apart(self, qmon_capture):
        @qmon.monitor("nightly")
        def nightly():
            yield

        one, other = nightly(), nightly()
        next(one), next(other)
        one.close(), other.close()
        ids = [checkin.attributes["checkin.id"] for checkin in qmon_capture.all("checkin")]
        assert [ids[0], ids[1], ids[0], ids[1]] == ids


class TestSchedules:
    @pytest.mark.parametrize(
        ("said", "text"),
        [
            ("@daily", "0 0 * * *"),
            ("0  3 * *  MON", "0 3 * * mon"),
            ("every 5 minutes", "every 300s"),
            ("Every hour", "every 3600s"),
            ("every 1h30m", "every 5400s"),
            (90, "every 90s"),
            (0.25, "every 0.25s"),
            (timedelta(days=1), "every 86400s"),
        ],
    )
    def test_are_written_in_one_way(self, qmon_capture, said, text):
        with qmon.monitor("job", schedule=said):
            pass
        assert text == qmon_capture.all("checkin")[0].attributes["schedule"]

    @pytest.mark.parametrize("said", ["daily", "61 * * * *", "0 0 31 2 *", "every", object(), -1])
    def test_that_cannot_be_are_loud_here(self, qmon_capture, said):
        with pytest.raises(ScheduleError):
            qmon.monitor("job", schedule=said)

    @pytest.mark.parametrize("option", ["margin", "max_runtime"])
    def test_and_so_are_lengths_of_time(self, qmon_capture, option):
        with pytest.raises(ScheduleError):
            qmon.monitor("job", **{option: "soon"})

    def test_that_cannot_be_are_counted_elsewhere(self, ended):
        done = ended("""
            import qmon_sdk as qmon
            qmon.init(integrations=())
            @qmon.monitor("job", schedule="daily", timezone="Middle/Earth", max_runtime="1h")
            def job(): pass
            job()
            qmon.monitor(margin="soon")
            for n in range(300): qmon.heartbeat(f"alive {n}", interval="often")
            print(*qmon.stats().trouble, sep="|")
        """)
        names = done.out.strip().split("|")
        assert [
            "monitor job: schedule: ScheduleError",
            "monitor alive 0: schedule: ScheduleError",
        ] == ([names[0], names[2]])
        assert "monitor at <string>:" in names[1]
        assert (257, "(other)") == (len(names), names[-1])
        runs = [checkin for checkin in done.all("checkin") if checkin.monitor == "job"]
        assert {"3600"} == {run.attributes["max_runtime_s"] for run in runs}


class TestHeartbeat:
    def test_says_that_it_is_alive_and_when_it_will_again(self, qmon_capture):
        qmon.heartbeat("worker", interval=timedelta(minutes=1))
        (checkin,) = qmon_capture.all("checkin")
        assert ("worker", "ok", "every 60s") == (
            checkin.monitor,
            checkin.status,
            checkin.attributes["schedule"],
        )

    def test_is_sent_before_the_call_returns(self, ended):
        done = ended("""
            import os, qmon_sdk as qmon
            qmon.init(integrations=())
            qmon.heartbeat("worker")
            os._exit(0)
        """)
        assert ["worker"] == [checkin.monitor for checkin in done.all("checkin")]
