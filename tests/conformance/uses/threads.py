"""A thread that is started."""

from __future__ import annotations

import threading

TELLS = ()  # it only lets the place follow


def use(servers):
    thread = threading.Thread(target=len, args=("abc",))
    yield
    thread.start()
    thread.join()
