"""An error that ends the program, as far as its hook is concerned."""

from __future__ import annotations

import sys

TELLS = ("error",)


def use(servers):
    yield
    error = ZeroDivisionError("nobody caught it")
    sys.excepthook(type(error), error, None)
