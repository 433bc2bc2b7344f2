"""An error that ends a thread."""

from __future__ import annotations

from threading import Thread

TELLS = ("error",)


def use(servers):
    thread = Thread(target=lambda: 1 / 0)
    yield
    thread.start()
    thread.join()
