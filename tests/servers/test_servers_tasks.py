"""Celery and RQ with a real Redis: every task is at the agent once, whoever worked on it."""

import signal

import pytest

TASKS = 30

SHOP = """
import os
import qmon_sdk as qmon
from celery import Celery

app = Celery("shop", broker=os.environ["BROKER"])
app.conf.update(worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True)

@app.task(name="work")
def work(n):
    with qmon.span("work", n=n):
        qmon.track("worked", {"n": n})
        qmon.count("done")
    if n % 10 == 0:
        raise RuntimeError("every tenth")
"""

SEND = f"""
from shop import work
for n in range({TASKS}):
    work.delay(n)
"""

JOBS = """
import qmon_sdk as qmon

def work(n):
    with qmon.span("work", n=n):
        qmon.track("worked", {"n": n})
        qmon.count("done")
    if n % 10 == 0:
        raise RuntimeError("every tenth")
"""

ENQUEUE = f"""
import os
from redis import Redis
from rq import Queue
from shop import work
queue = Queue("orders", connection=Redis.from_url(os.environ["BROKER"]))
for n in range({TASKS}):
    queue.enqueue(work, n)
"""


@pytest.fixture
def broker(redis_at, monkeypatch):
    """Name a Redis that holds nothing."""
    from redis import Redis

    monkeypatch.setenv("BROKER", f"redis://{redis_at.host}:{redis_at.port}/3")
    with Redis(*redis_at.address, db=3) as connection:
        connection.flushdb()


@pytest.fixture
def write(tmp_path):
    """Write programs down."""

    def files(**sources):
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source)

    return files


POOLS = {
    "prefork": "--concurrency=2",
    "prefork, short lives": "--concurrency=2 --max-tasks-per-child=4",
    "solo": "",
    "threads": "--concurrency=4",
    "gevent": "--concurrency=8",
}


@pytest.mark.usefixtures("broker")
class TestCelery:
    @pytest.mark.parametrize("pool", POOLS)
    def test_tells_of_every_task_once(self, *, pool, write, start, agent, counted):
        write(shop=SHOP, send=SEND)
        command = ("celery", "-A", "shop", "worker", "--loglevel=INFO", "--without-mingle")
        words = ("--without-gossip", f"--pool={pool.partition(',')[0]}", *POOLS[pool].split())
        worker = start(*command, *words).wait_for("ready.")
        start("python", "send.py").finish()
        worker.wait_for("succeeded in", times=TASKS - TASKS // 10)
        worker.wait_for("raised unexpected", times=TASKS // 10)
        worker.stop(signal.SIGTERM)

        counted(TASKS, producer=1, consumer=1)
        assert TASKS // 10 == len(agent.signals("error"))
        assert_every_task_is_its_senders(agent.signals("span"))


@pytest.mark.usefixtures("broker")
class TestRq:
    def test_tells_of_every_job_once(self, *, write, start, agent, counted):
        write(shop=JOBS, send=ENQUEUE)
        start("python", "send.py").finish()
        start("sh", "-c", 'exec rq worker --burst --url "$BROKER" orders').finish()

        counted(TASKS, producer=1, consumer=1)
        assert TASKS // 10 == len(agent.signals("error"))
        assert_every_task_is_its_senders(agent.signals("span"))


def assert_every_task_is_its_senders(spans):
    sent = {span.span_id: span.trace_id for span in spans if span.kind == "producer"}
    done = {span.parent_id: span.trace_id for span in spans if span.kind == "consumer"}

    assert sent == done
