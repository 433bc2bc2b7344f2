"""Warnings that are shown."""

from __future__ import annotations

import warnings

TELLS = ("log",)


def use(servers):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("first", UserWarning, stacklevel=1)
        yield
        warnings.warn("second", UserWarning, stacklevel=1)
