"""A child that ends well: one that fails tells of it by a client of its own."""

from __future__ import annotations

import multiprocessing

TELLS = ()


def use(servers):
    child = multiprocessing.get_context("spawn").Process(target=abs, args=(-1,), name="till")
    child.start()
    yield
    child.join()
    assert (0, "till") == (child.exitcode, child.name)
