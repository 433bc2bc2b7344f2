"""`qmon-agent query`: read-only SQL, on a running agent or on what a stopped one left."""

from __future__ import annotations

from pathlib import Path

import click

from qmon_agent.cli._asking import ask, not_stored
from qmon_agent.cli._exported import export
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_csv, show_json, show_table

_FORMATS = ("table", "json", "csv", "ndjson", "arrow", "parquet")
_STREAMED = ("csv", "ndjson", "arrow", "parquet")
_TABLE_ROWS = 100


@click.command
@click.argument("sql")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="How to answer [table].")
@click.option("--output", metavar="FILE", help="Write all rows into a file, whole or not at all.")
@click.option(
    "--limit", type=click.IntRange(min=1), help="At most so many rows [10000; of a file: all]."
)
@with_place
def command(
    *, sql: str, form: str | None, output: str | None, limit: int | None, place: Place
) -> None:
    """Answer one read-only SQL statement over the telemetry tables and the state views."""
    if place.json and form not in {None, "json"}:
        raise click.UsageError(f"--json and --format {form} contradict each other")
    if not sql.strip():
        raise click.UsageError("the query is empty; ask for example: SHOW TABLES")
    if output or form in {"ndjson", "arrow", "parquet"}:
        _into_file(sql, form, output, limit=limit, place=place)
        return
    _show(sql, form or ("json" if place.json else "table"), limit=limit, place=place)


def _show(sql: str, form: str, *, limit: int | None, place: Place) -> None:
    answer = ask(sql, place, limit=limit)
    columns, rows = answer["columns"], answer["rows"]
    left_out = [f"left out: {sentence}" for sentence in answer.get("missing", ())]
    for words in (*left_out, *not_stored(answer.get("freshness"))):
        click.echo(words, err=True)
    if form == "json":
        missing = {"missing": answer["missing"]} if answer.get("missing") else {}
        fresh = {"freshness": answer.get("freshness")}
        show_json({"version": 1, "columns": columns, "rows": rows, **missing, **fresh})
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


def _into_file(
    sql: str, form: str | None, output: str | None, *, limit: int | None, place: Place
) -> None:
    form = form or (Path(output).suffix.removeprefix(".") if output else "")
    if form not in _STREAMED:
        raise click.UsageError(f"--output needs --format {', '.join(_STREAMED)}")
    if not output:
        raise click.UsageError(f"--format {form} needs --output FILE")
    written = export(sql, place, Path(output), form=form, limit=limit)
    if place.json:
        show_json({"version": 1, "file": output, "format": form, "bytes": written})
