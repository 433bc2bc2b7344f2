"""What every part of the state store stands on: a clock, and connections to read and to write."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection, Row

from qmon_agent.domain.clock import Clock

R = TypeVar("R", bound=msgspec.Struct)


class Database(Protocol):
    """The store, as its parts see it."""

    clock: Clock

    def reading(self) -> AbstractContextManager[Connection]: ...
    def writing(self) -> AbstractContextManager[Connection]: ...


def record(kind: type[R], row: Row[Any]) -> R:
    """A row as a frozen record; columns the record does not know are left out."""
    return msgspec.convert(row._mapping, kind)  # noqa: SLF001 - SQLAlchemy's public name for it
