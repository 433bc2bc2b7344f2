"""One question in SQL, put to a running agent or to what a stopped one left."""

from __future__ import annotations

from typing import Any

from qmon_agent.cli._control import UnreachableError, find_control
from qmon_agent.cli._place import Place
from qmon_agent.settings.claim import is_claimed


def ask(sql: str, place: Place, *, limit: int | None = None) -> dict[str, Any]:
    """`columns`, `rows` and whether they were `truncated`; raises QueryError or StoreError."""
    try:
        return find_control(place.locations).query({"sql": sql, "limit": limit})
    except UnreachableError:
        # Whoever named only a socket means the agent there, and no directory.
        only_socket = place.locations.is_said("socket") and not place.locations.is_said("state")
        if only_socket or is_claimed(place.locations.lock):
            raise
        # The engine is loaded here only: asking a running agent takes a tenth of the time.
        from qmon_agent.app.stopped import query_stopped

        return query_stopped(place.locations, sql, limit=limit)
