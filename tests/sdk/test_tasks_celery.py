"""Celery under watch: real messages through a broker in memory, and a real worker in a thread."""

from __future__ import annotations

import time
from functools import partial

import celery.contrib.testing.tasks  # noqa: F401 - the worker asks for it
import pytest
from celery import Celery
from celery.beat import ScheduleEntry, Scheduler
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Ignore
from celery.schedules import crontab, schedule
from kombu.exceptions import EncodeError

import qmon_sdk as qmon
from qmon_sdk.testing import capture


@pytest.fixture
def captured():
    with capture(integrations=("celery",)) as captured:
        yield captured


def make_app(**conf):
    app = Celery("shop", broker="memory://", backend="cache+memory://", set_as_current=False)
    app.conf.update(
        task_default_queue="orders",
        broker_connection_retry_on_startup=True,
        broker_transport_options={"polling_interval": 0.01},
        **conf,
    )
    declare(app)
    return app


@pytest.fixture(scope="module")
def app():
    """An application whose worker begins before qmon does, and goes on when it has stopped."""
    app = make_app()
    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="CRITICAL"):
        yield app


@pytest.fixture
def tasks(app):
    return app.tasks


@pytest.fixture
def eager():
    """The tasks of an application that sends nothing."""
    return make_app(task_always_eager=True).tasks


def declare(app):
    """Give an application the shop's tasks."""
    task = partial(app.task, shared=False)

    @task(name="shop.price")
    def price(number):
        qmon.set_tag("of", "task")
        with qmon.span("look up"):
            return number

    @task(name="shop.order", bind=True)
    def order(self, number):
        return self.request.id, price.delay(number).id

    @task(name="shop.fail")
    def fail(number, password=None):
        raise LookupError(f"no number {number}")

    @task(name="shop.late", bind=True, max_retries=2)
    def late(self):
        raise self.retry(exc=TimeoutError("slow"), countdown=0)

    @task(name="shop.usual", throws=(KeyError,))
    def usual():
        raise KeyError("as ever")

    @task(name="shop.ignored")
    def ignored():
        raise Ignore


@pytest.fixture
def work(captured):
    """Send something, and wait until so many tasks are done."""

    def run(send, tasks=1):
        sent = send()
        wait_for(lambda: len(spans(captured, "consumer")) >= tasks, captured)
        return sent

    return run


def wait_for(condition, captured):
    deadline = time.monotonic() + 20
    while not condition():
        told = [(span.name, span.attributes) for span in captured.all("span")]
        assert time.monotonic() < deadline, (told, qmon.stats())
        time.sleep(0.01)


def spans(captured, kind):
    return [span for span in captured.all("span") if span.kind == kind]


class TestTask:
    def test_is_a_span_in_the_trace_of_its_sender(self, captured, tasks, work):
        with qmon.span("request") as request:
            sent = work(lambda: tasks["shop.price"].delay(3))
        (send,), (process,) = spans(captured, "producer"), spans(captured, "consumer")

        assert ("send shop.price", "process shop.price") == (send.name, process.name)
        assert {request.trace_id} == {send.trace_id, process.trace_id}
        assert (request.span_id, send.span_id) == (send.parent_id, process.parent_id)
        for span in (send, process):
            assert sent.id == span.attributes["messaging.message.id"]
            assert "orders" == span.attributes["messaging.destination.name"]
            assert "celery" == span.attributes["messaging.system"]
        assert "SUCCESS" == process.attributes["celery.state"]

    def test_begins_a_trace_if_nobody_sent_it_in_one(self, captured, tasks, work):
        work(lambda: tasks["shop.price"].delay(3))
        (send,), (process,) = spans(captured, "producer"), spans(captured, "consumer")

        assert ("", send.span_id) == (send.parent_id, process.parent_id)

    def test_contains_what_it_does_and_sends(self, captured, tasks, work):
        work(lambda: tasks["shop.order"].delay(3), tasks=2)
        by_name = {span.name: span for span in captured.all("span")}

        assert 1 == len({span.trace_id for span in by_name.values()})
        assert by_name["process shop.order"].span_id == by_name["send shop.price"].parent_id
        assert by_name["process shop.price"].span_id == by_name["look up"].parent_id
        ids = {
            span.attributes.get("messaging.message.conversation_id") for span in by_name.values()
        }
        assert 1 == len(ids - {None})

    def test_forgets_what_was_said_in_the_one_before(self, captured, tasks, work):
        def send():
            tasks["shop.price"].delay(1)
            return tasks["shop.fail"].delay(2)

        work(send, tasks=2)
        (error,) = captured.all("error")

        assert "of" not in error.attributes

    def test_may_run_at_once_in_the_place_of_its_sender(self, captured, eager):
        with qmon.span("request") as request:
            eager["shop.order"].delay(3)
        order, price = sorted(spans(captured, "consumer"), key=lambda span: span.name)

        assert (request.span_id, order.span_id) == (order.parent_id, price.parent_id)
        assert [] == spans(captured, "producer")

    def test_that_was_begun_before_qmon_ends_as_ever(self):
        app = make_app(task_always_eager=True)
        begun = capture(integrations=("celery",))

        @app.task(shared=False)
        def begin():
            begun.__enter__()
            return 1

        assert 1 == begin.delay().get()
        assert {} == qmon.stats().trouble
        begun.__exit__(None, None, None)


class TestFailure:
    def test_is_an_error_with_the_task_and_its_arguments_scrubbed(self, captured, tasks, work):
        sent = work(lambda: tasks["shop.fail"].delay(7, password="hunter2"))
        (error,), (process,) = captured.all("error"), spans(captured, "consumer")

        assert ("LookupError", "no number 7", False) == (error.type, error.message, error.handled)
        assert (process.trace_id, process.span_id) == (error.trace_id, error.span_id)
        assert sent.id == error.attributes["messaging.message.id"]
        assert "7" in error.attributes["celery.args"]
        assert "password" in error.attributes["celery.kwargs"]
        assert "hunter2" not in str(error)
        assert ("error", "LookupError") == (process.status, process.attributes["error.type"])

    def test_is_one_error_after_all_its_retries(self, captured, tasks, work):
        work(tasks["shop.late"].delay, tasks=3)
        process = spans(captured, "consumer")

        assert ["RETRY", "RETRY", "FAILURE"] == [
            span.attributes["celery.state"] for span in process
        ]
        assert ["unset", "unset", "error"] == [span.status for span in process]
        assert 1 == len({span.trace_id for span in captured.all("span")})
        assert {"TimeoutError"} == {span.attributes["error.type"] for span in process}
        assert ["TimeoutError"] == [error.type for error in captured.all("error")]

    @pytest.mark.parametrize("name", ["shop.usual", "shop.ignored"])
    def test_that_the_task_means_is_no_error(self, *, name, captured, eager):
        eager[name].apply()

        assert [] == captured.all("error")
        assert 1 == len(spans(captured, "consumer"))

    def test_of_an_eager_task_reaches_its_sender_and_marks_the_span(self, captured):
        app = make_app(task_always_eager=True, task_eager_propagates=True)
        with pytest.raises(LookupError):
            app.tasks["shop.fail"].delay(1)

        assert ["error"] == [span.status for span in spans(captured, "consumer")]

    def test_to_send_ends_the_span_of_sending(self, captured, tasks):
        with pytest.raises(EncodeError):
            tasks["shop.price"].delay(object())

        assert ["error"] == [span.status for span in spans(captured, "producer")]

    def test_of_a_process_is_told_by_the_worker(self, captured, tasks):
        from celery.signals import task_failure

        error = RuntimeError("worker exited prematurely")
        task_failure.send(tasks["shop.fail"], task_id="1", exception=error, args=(1,), kwargs={})

        assert ["1"] == [e.attributes["messaging.message.id"] for e in captured.all("error")]


class TestBeat:
    @pytest.fixture
    def entry(self, app):
        def make(when, task="shop.price", **options):
            told = {"args": (1,), **options}
            return ScheduleEntry("nightly", task, schedule=when, app=app, **told)

        return make

    @pytest.fixture
    def beat(self, app):
        return Scheduler(app, lazy=True)

    @pytest.mark.parametrize(
        ("when", "words"),
        [
            (crontab(minute="*/5", hour=3), "*/5 3 * * *"),
            (schedule(run_every=90), "every 90s"),
        ],
    )
    def test_tells_what_is_due_and_the_worker_how_it_went(  # noqa: PLR0913 - asked for by name
        self, *, when, words, captured, entry, beat, tasks, work
    ):
        work(lambda: beat.apply_async(entry(when)))
        begun, ended = captured.all("checkin")

        assert ("nightly", "in_progress", words) == (
            begun.monitor, begun.status, begun.attributes["schedule"],
        )  # fmt: skip
        assert ("nightly", "ok") == (ended.monitor, ended.status)
        assert begun.attributes["checkin.id"] == ended.attributes["checkin.id"]
        assert ended.duration_ns > 0

    def test_tells_whose_clocks_a_crontab_is_read_by(self, *, captured, tasks, work):
        app = make_app(timezone="Europe/Berlin")
        when = crontab(minute=0, hour=3, app=app)
        due = ScheduleEntry("nightly", "shop.price", schedule=when, app=app, args=(1,))
        work(lambda: Scheduler(app, lazy=True).apply_async(due))

        assert "Europe/Berlin" == captured.all("checkin")[0].attributes["timezone"]

    def test_tells_that_a_run_has_failed(self, *, captured, entry, beat, tasks, work):
        work(lambda: beat.apply_async(entry(schedule(run_every=90), "shop.fail")))

        assert ["in_progress", "error"] == [each.status for each in captured.all("checkin")]

    def test_counts_no_run_for_what_a_run_sends(self, *, captured, entry, beat, tasks, work):
        work(lambda: beat.apply_async(entry(schedule(run_every=90), "shop.order")), tasks=2)

        assert 2 == len(captured.all("checkin"))

    def test_changes_nothing_in_the_entry(self, *, entry, beat, tasks, captured, work):
        due = entry(schedule(run_every=90), options={"headers": {"mine": "1"}})
        work(lambda: beat.apply_async(due))

        assert {"mine"} == set(due.options["headers"]) - {"celery_beat_task"}

    def test_keeps_no_book_on_celerys_own_housekeeping(self, *, captured, entry, beat, work):
        due = entry(schedule(run_every=90), "celery.backend_cleanup", args=())
        work(lambda: beat.apply_async(due))

        assert [] == captured.all("checkin")
