"""A job that RQ puts into Redis, and one that a worker without a process of its own takes."""

from __future__ import annotations

from redis import Redis
from rq import Queue, SimpleWorker


def use(servers):
    with Redis(*servers.redis.address) as connection:
        queue = Queue("conformance", connection=connection)
        queue.enqueue(pow, 2, 3)
        yield
        queue.enqueue(pow, 3, 2)
        SimpleWorker([queue], connection=connection).work(burst=True)
