"""`qmon-agent query`: read-only SQL, on a running agent or on what a stopped one left."""

from __future__ import annotations

from typing import Any

import click

from qmon_agent.cli._control import UnreachableError, find_control
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_csv, show_json, show_table
from qmon_agent.settings.claim import is_claimed

_FORMATS = ("table", "json", "csv")
_TABLE_ROWS = 100


@click.command
@click.argument("sql")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="How to answer [table].")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many rows [10000].")
@with_place
def command(*, sql: str, form: str | None, limit: int | None, place: Place) -> None:
    """Answer one read-only SQL statement over the telemetry tables and the state views."""
    if place.json and form not in {None, "json"}:
        raise click.UsageError(f"--json and --format {form} contradict each other")
    if not sql.strip():
        raise click.UsageError("the query is empty; ask for example: SHOW TABLES")
    answer = _answer(sql, limit, place)
    columns, rows = answer["columns"], answer["rows"]
    form = form or ("json" if place.json else "table")
    if form == "json":
        show_json({"version": 1, "columns": columns, "rows": rows})
    elif form == "csv":
        show_csv(columns, rows)
    else:
        show_table(columns, rows[:_TABLE_ROWS])
        if len(rows) > _TABLE_ROWS:
            more = f"the first {_TABLE_ROWS} of {len(rows)} rows; all of them: --format csv or json"
            click.echo(more, err=True)
            return
    if answer["truncated"]:
        click.echo(f"only the first {len(rows)} rows; see --limit", err=True)


def _answer(sql: str, limit: int | None, place: Place) -> dict[str, Any]:
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
