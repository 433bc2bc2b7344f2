"""RQ under watch: real jobs through a real Redis."""

from __future__ import annotations

import pytest
from redis import Redis
from rq import Queue, Retry, SimpleWorker
from rq.registry import ScheduledJobRegistry
from rq.serializers import JSONSerializer

import qmon_sdk as qmon
from qmon_sdk.testing import capture


@pytest.fixture
def captured():
    with capture(integrations=("rq",)) as captured:
        yield captured


@pytest.fixture
def connection(redis_at):
    with Redis(*redis_at.address) as connection:
        yield connection
        connection.flushdb()


@pytest.fixture
def queue(connection):
    return Queue("orders", connection=connection, serializer=JSONSerializer)


@pytest.fixture
def work(queue, connection):
    """Let a worker do everything there is to do."""

    def run():
        worker = SimpleWorker([queue], connection=connection, serializer=JSONSerializer)
        worker.work(burst=True, logging_level="CRITICAL")

    return run


def of_kind(captured, kind):
    return [span for span in captured.all("span") if span.kind == kind]


class TestJob:
    def test_is_a_span_in_the_trace_of_its_sender(self, captured, queue, work):
        with qmon.span("request") as request:
            job = queue.enqueue("operator.add", 1, 2)
        work()
        (send,), (process,) = of_kind(captured, "producer"), of_kind(captured, "consumer")

        assert ("send operator.add", "process operator.add") == (send.name, process.name)
        assert {request.trace_id} == {send.trace_id, process.trace_id}
        assert (request.span_id, send.span_id) == (send.parent_id, process.parent_id)
        for span in (send, process):
            assert job.id == span.attributes["messaging.message.id"]
            assert "orders" == span.attributes["messaging.destination.name"]
            assert "rq" == span.attributes["messaging.system"]

    def test_begins_a_trace_if_nobody_sent_it_in_one(self, captured, queue, work):
        queue.enqueue("operator.add", 1, 2)
        work()
        (send,), (process,) = of_kind(captured, "producer"), of_kind(captured, "consumer")

        assert ("", send.span_id) == (send.parent_id, process.parent_id)

    def test_leaves_the_meta_of_the_program_alone(self, captured, queue, work):
        job = queue.enqueue("operator.add", 1, 2, meta={"mine": 1})
        work()
        job.refresh()

        assert (1, 3) == (job.meta.pop("mine"), job.return_value())
        assert {"qmon"} == set(job.meta)

    def test_that_waits_for_another_belongs_to_the_trace_it_was_made_in(
        self, captured, queue, work
    ):
        with qmon.span("request") as request:
            first = queue.enqueue("operator.add", 1, 2)
            queue.enqueue("operator.mul", 1, 2, depends_on=first)
        work()
        work()

        assert 2 == len(of_kind(captured, "consumer"))
        assert {request.trace_id} == {span.trace_id for span in captured.all("span")}

    def test_that_was_scheduled_belongs_to_the_trace_it_was_made_in(self, captured, queue, work):
        from datetime import timedelta

        with qmon.span("request") as request:
            job = queue.enqueue_in(timedelta(hours=1), "operator.add", 1, 2)
        ScheduledJobRegistry(queue=queue).remove(job)
        queue.enqueue_job(queue.fetch_job(job.id))
        work()

        assert [request.trace_id] == [span.trace_id for span in of_kind(captured, "consumer")]

    def test_may_run_at_once(self, captured, connection):
        queue = Queue(is_async=False, connection=connection)
        with qmon.span("request"):
            queue.enqueue("operator.add", 1, 2)
        (send,), (process,) = of_kind(captured, "producer"), of_kind(captured, "consumer")

        assert send.span_id == process.parent_id


class TestFailure:
    def test_is_one_error_with_the_job_and_its_arguments_scrubbed(self, captured, queue, work):
        job = queue.enqueue("builtins.dict", "hunter2 of", password="hunter3")
        work()
        (error,), (process,) = captured.all("error"), of_kind(captured, "consumer")

        assert ("ValueError", False) == (error.type, error.handled)
        assert (process.trace_id, process.span_id) == (error.trace_id, error.span_id)
        assert ("error", "ValueError") == (process.status, process.attributes["error.type"])
        assert job.id == error.attributes["messaging.message.id"]
        assert "hunter2" in error.attributes["rq.args"]
        assert "hunter3" not in error.attributes["rq.kwargs"]

    def test_is_told_at_every_try(self, captured, queue, work):
        queue.enqueue("operator.truediv", 1, 0, retry=Retry(max=2))
        work()

        assert 3 == len(captured.all("error")) == len(of_kind(captured, "consumer"))
        left = [
            span.attributes.get("rq.retries_left", "0") for span in of_kind(captured, "consumer")
        ]
        assert ["2", "1", "0"] == sorted(left, reverse=True)

    def test_of_a_job_that_runs_at_once_is_an_error_too(self, captured, connection):
        Queue(is_async=False, connection=connection).enqueue("operator.truediv", 1, 0)

        assert ["ZeroDivisionError"] == [error.type for error in captured.all("error")]

    def test_to_read_the_job_is_an_error_of_a_job_without_a_name(self, captured, queue, work):
        job = queue.enqueue("operator.add", 1, 2)
        job.connection.hset(job.key, "data", b"no data")
        work()

        assert 1 == len(of_kind(captured, "consumer"))
        assert 1 == len(captured.all("error"))
