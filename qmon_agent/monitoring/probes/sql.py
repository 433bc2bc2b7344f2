"""Whether a database answers a question."""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from qmon_agent.domain.errors import ConfigError

from . import Checked, Number, UnknownError

_POSTGRES = "postgresql"


class SqlProbe(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Connects by a URL of SQLAlchemy, asks, and compares the first value of the first row."""

    url: str
    """The database, as `postgresql+psycopg://user:${PASSWORD}@host/name`; its driver is yours."""
    query: str = "SELECT 1"
    """The question."""
    expect: str = ""
    """The first value of the first row, as text; empty means any answer is right."""
    min_rows: int = 0
    """How many rows there have to be."""
    _asking: threading.Thread | None = None

    def __post_init__(self) -> None:
        # Imported late: its engine takes longer than all the rest of a start.
        import sqlalchemy as sql

        try:
            sql.make_url(self.url)
        except sql.exc.ArgumentError as problem:
            raise ConfigError("url", "no URL of a database") from problem

    @property
    def target(self) -> str:
        """Where the database is, without user and password."""
        import sqlalchemy as sql

        url = sql.make_url(self.url)
        return f"{url.get_backend_name()}://{url.host or ''}/{url.database or ''}"

    def check(self, timeout_s: float) -> Checked:
        """On a thread of its own, since not every driver knows a timeout: at most one waits."""
        if self._asking is not None and self._asking.is_alive():
            return Checked(problem="the question before has no answer yet", type="timeout")
        said: list[Any] = []
        self._asking = threading.Thread(
            target=self._ask, args=(said, timeout_s), name="qmon-probe-sql", daemon=True
        )
        self._asking.start()
        self._asking.join(timeout_s)
        if not said:
            raise TimeoutError("no answer in time")
        if isinstance(said[0], Exception):
            raise said[0]
        return self._compared(said[0])

    def _ask(self, said: list[Any], timeout_s: float) -> None:
        try:
            said.append(self._rows(timeout_s))
        except Exception as problem:  # noqa: BLE001 - raised again where it is waited for
            said.append(problem)

    def _rows(self, timeout_s: float) -> list[Any]:
        import sqlalchemy as sql

        url = sql.make_url(self.url)
        is_postgres = url.get_backend_name() == _POSTGRES
        options = {"connect_timeout": max(1, round(timeout_s))} if is_postgres else {}
        try:
            engine = sql.create_engine(url, poolclass=sql.NullPool, connect_args=options)
        except (ImportError, sql.exc.ArgumentError) as problem:
            raise UnknownError(f"no driver for {url.drivername}") from problem
        try:
            with engine.connect() as connection:
                answer = connection.exec_driver_sql(self.query)
                return [*answer.fetchmany(max(1, self.min_rows))] if answer.returns_rows else []
        except sql.exc.DBAPIError as problem:
            raise ConnectionError(str(problem.orig).split("\n", 1)[0][:200]) from problem

    def _compared(self, rows: list[Any]) -> Checked:
        number = Number(metric="probe.sql.rows", value=len(rows), unit="{row}")
        if len(rows) < self.min_rows:
            return Checked(problem=f"{len(rows)} rows", type="rows", numbers=(number,))
        if self.expect and (not rows or str(rows[0][0]) != self.expect):
            return Checked(problem="the answer is another one", type="answer", numbers=(number,))
        return Checked(numbers=(number,))
