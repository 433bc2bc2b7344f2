"""A collection."""

from __future__ import annotations

import gc

TELLS = ()  # nothing while nobody else speaks


def use(servers):
    gc.collect()
    yield
    gc.collect()
