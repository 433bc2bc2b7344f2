"""An error that strikes where nobody can catch it."""

from __future__ import annotations

TELLS = ("error",)


class Brittle:
    def __del__(self):
        raise ZeroDivisionError


def use(servers):
    brittle = Brittle()
    yield
    del brittle
