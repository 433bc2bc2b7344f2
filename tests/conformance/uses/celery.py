"""A task that Celery runs at once, in the place of its sender."""

from __future__ import annotations

from celery import Celery


def use(servers):
    app = Celery("shop", broker="memory://", set_as_current=False)
    app.conf.task_always_eager = True

    @app.task(shared=False)
    def double(number):
        return 2 * number

    assert 2 == double.delay(1).get()
    yield
    assert 4 == double.delay(2).get()
