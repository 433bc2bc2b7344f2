"""The state store's views, as a query on the telemetry store may join them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from qmon_agent.domain.errors import nearest_to
from qmon_agent.store.state import VIEWS, StateStore
from qmon_agent.store.telemetry import StateTable

_WORD = re.compile(r"[A-Za-z_]+")
_LISTING = {"show", "describe"}
# What a column holds is known by its name, for all views alike; any other is text.
_ROLES = {
    "created_at": "time",
    "updated_at": "time",
    "due_at": "time",
    "sent_at": "time",
    "timestamp": "time",
    "event_time": "time",
    "since": "time",
    "fired_at": "time",
    "resolved_at": "time",
    "value": "number",
    "for_s": "number",
    "keep_firing_for_s": "number",
    "id": "whole",
    "monitoring_system": "whole",
    "metric": "whole",
    "alert": "whole",
    "attempts": "whole",
    "labels": "labels",
}
_OWN_ROLES = {"incidents": {"id": "text"}}


def state_tables(store: StateStore, sql: str) -> dict[str, StateTable]:
    """The views a statement names, blocks for reading them; of what is only like one, no rows."""
    return empty_state_tables(sql) | {name: _table(store, name) for name in named_views(sql)}


def empty_state_tables(sql: str) -> dict[str, StateTable]:
    """The same without any rows, for a statement that is only looked at."""
    return {
        name: StateTable(columns=_roles(name, VIEWS[name].selected_columns.keys()), rows=[])
        for name in _wanted(sql)
    }


def named_views(sql: str) -> list[str]:
    """Those of which rows may be asked: with none of them no state is needed."""
    named = _words(sql)
    return [name for name in VIEWS if name in named]


def _words(sql: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(sql)}


def _wanted(sql: str) -> list[str]:
    named = _words(sql)
    # A name nearly that of a view brings it along, so that the answer can say what was meant.
    meant = {name for word in named for name in nearest_to(word, VIEWS)}
    wanted = VIEWS if named & _LISTING else meant
    return [name for name in VIEWS if name in wanted]


def _table(store: StateStore, name: str) -> StateTable:
    columns, rows = store.view(name)
    roles = _roles(name, columns)
    return StateTable(
        columns=roles,
        rows=[
            {name: _value(value, roles[name]) for name, value in zip(columns, row, strict=True)}
            for row in rows
        ],
    )


def _roles(view: str, columns: Iterable[str]) -> dict[str, str]:
    return {column: _ROLES.get(column, "text") for column in columns} | _OWN_ROLES.get(view, {})


def _value(value: Any, role: str) -> Any:
    # A time of zero is one that has not come.
    if role == "time":
        return value or None
    if role == "text" and value is not None and not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    return value
