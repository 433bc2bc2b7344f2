"""Questions to an agent that does not run: its state directory answers them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from qmon_agent.app.state_views import empty_state_tables, named_views, state_tables
from qmon_agent.settings import Locations, load_settings
from qmon_agent.store.state import StateStore, is_there
from qmon_agent.store.telemetry import StateTable, dialect_of, open_readonly, places_of
from qmon_agent.store.telemetry.client import NO_LIMIT

Ask = Callable[[str, int | None], dict[str, Any]]
"""A statement and at most how many rows → `columns`, `rows`, whether these are all, and of what."""


def query_stopped(locations: Locations, sql: str, *, limit: int | None) -> dict[str, Any]:
    """The same answer a running agent gives; raises StoreError if there is nothing to ask."""
    with stopped(locations) as ask:
        return ask(sql, limit)


def ask_stopped(locations: Locations, name: str, said: Mapping[str, str]) -> dict[str, Any]:
    """A question by its name; `freshness` tells what of the journal is not in the answer."""
    from qmon_agent.store.telemetry.asked import answer_to, ask_for, manner_of

    manner, said = manner_of(said)
    address = load_settings(locations.config).store.telemetry
    dialect = dialect_of(address)
    asked = ask_for(name, said, now=time.time_ns(), manner=manner, dialect=dialect)
    told = query_stopped(locations, asked.statement, limit=manner.limit)
    return {**answer_to(asked, told), "freshness": told["freshness"]}


@contextmanager
def stopped(locations: Locations) -> Iterator[Ask]:
    """For many questions: what it takes to answer is got ready once."""
    section = load_settings(locations.config).store
    telemetry, address = places_of(section.telemetry, locations.state / "telemetry")
    dsn = section.state or f"sqlite:///{locations.state}/state.db"
    password = section.state_password
    limits = {
        "query_timeout_s": section.query_timeout_s,
        "query_rows": section.query_rows,
        "address": address,
        "password": section.telemetry_password,
    }
    with open_readonly(locations.state, telemetry=telemetry, **limits) as store:

        def ask(sql: str, limit: int | None) -> dict[str, Any]:
            result = store.query(sql, limit=limit, state_tables=_views(dsn, password, sql))
            return {
                "columns": [column.name for column in result.columns],
                "rows": result.records(),
                "truncated": result.truncated,
                "missing": result.missing,
                "freshness": msgspec.to_builtins(result.freshness),
            }

        yield ask


def export_stopped(
    locations: Locations, sql: str, *, form: str, limit: int | None, put: Callable[[bytes], None]
) -> Sequence[str]:
    """The answer as a file, piece by piece, and what is left out; QueryError or StoreError."""
    from qmon_agent.store.telemetry.engine import Question

    section = load_settings(locations.config).store
    telemetry, address = places_of(section.telemetry, locations.state / "telemetry")
    dsn = section.state or f"sqlite:///{locations.state}/state.db"
    limits = {"address": address, "password": section.telemetry_password}
    question = Question(
        sql=sql,
        limit=NO_LIMIT if limit is None else limit,
        timeout_s=section.export_timeout_s,
        state=_views(dsn, section.state_password, sql),
    )
    with open_readonly(locations.state, telemetry=telemetry, **limits) as store:
        missing: list[str] = []
        store.stream(question, form=form, put=lambda data, _: put(data), left_out=missing.extend)
    return missing


def _views(dsn: str, password: str, sql: str) -> dict[str, StateTable]:
    # Opening makes what is not there; a question must leave nothing behind.
    if not is_there(dsn, password):
        return {}
    if not named_views(sql):
        return empty_state_tables(sql)
    state = StateStore.open(dsn, password=password)
    try:
        return state_tables(state, sql)
    finally:
        state.close()
