"""The state views `query` may read, beside the telemetry tables; no token is among them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, Table, select

from qmon_agent.domain.errors import QueryError, nearest_to

from .tables import ALERTS, INCIDENTS, METRICS, OUTBOX, SYSTEMS

ROWS = 10_000


def _newest(table: Table, column: str) -> Select[Any]:
    return select(table).order_by(table.c[column].desc()).limit(ROWS)


_NOTIFICATIONS = (
    select(
        OUTBOX.c.id,
        OUTBOX.c.key,
        OUTBOX.c.incident,
        OUTBOX.c.channel,
        OUTBOX.c.status,
        OUTBOX.c.attempts,
        OUTBOX.c.created_at,
        OUTBOX.c.due_at,
        OUTBOX.c.sent_at,
        OUTBOX.c.detail,
    )
    .order_by(OUTBOX.c.id.desc())
    .limit(ROWS)
)
_INCIDENTS = (
    select(ALERTS.c.name.label("alert_name"), INCIDENTS)
    .join(ALERTS, ALERTS.c.id == INCIDENTS.c.alert)
    .order_by(INCIDENTS.c.since.desc())
    .limit(ROWS)
)

VIEWS: dict[str, Select[Any]] = {
    "systems": _newest(SYSTEMS, "id"),
    "metrics": _newest(METRICS, "id"),
    "alerts": _newest(ALERTS, "id"),
    "incidents": _INCIDENTS,
    "notifications": _NOTIFICATIONS,
}


def read_view(connection: Connection, name: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns and at most 10,000 newest rows; raises QueryError for a name that is no view."""
    if name not in VIEWS:
        raise QueryError(
            f"no state view {name!r}; there are {', '.join(nearest_to(name, VIEWS) or VIEWS)}"
        )
    result = connection.execute(VIEWS[name])
    return tuple(result.keys()), [tuple(row) for row in result]
