"""`qmon-agent import-rules`: rule files of Prometheus, and what of them can be run here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json


@click.command
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--toml", is_flag=True, help="Print them as `[[alerts]]` of a configuration.")
@click.option(
    "--interval", default="1m", show_default=True, help="Of groups that do not say their own."
)
@with_place
def command(*, files: tuple[Path, ...], toml: bool, interval: str, place: Place) -> int:
    """List the rules of Prometheus rule files, and why some of them cannot be run.

    Exit code 1: there are such.
    """
    # Imported only then: nothing else at a start needs the parser of expressions.
    from qmon_agent.alerting.rule_files import read_rules, toml_of

    rules = read_rules({str(file): _text(file) for file in files}, every=interval)
    left_out = [rule for rule in rules if not rule.runs]
    if place.json:
        show_json({"version": 1, "ok": not left_out, "rules": msgspec.to_builtins(rules)})
    elif toml:
        click.echo(toml_of(rules), nl=False)
        _list([rule for rule in rules if not rule.runs or rule.notes], to_stderr=True)
    else:
        _list(rules, to_stderr=False)
        alerts = sum(rule.runs for rule in rules if rule.kind == "alert")
        records = sum(rule.runs for rule in rules if rule.kind == "record")
        click.echo(
            f"{alerts} alerts and {records} records can be run, {len(left_out)} rules cannot"
        )
    return int(bool(left_out))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise click.UsageError(f"{file}: {problem}") from None


def _list(rules: list[Any], *, to_stderr: bool) -> None:
    for rule in rules:
        verdict = "ok" if rule.runs else "no"
        why = f": {rule.reason}" if rule.reason else ""
        click.echo(f"{verdict}  {rule.kind} {rule.name} ({rule.group}){why}", err=to_stderr)
        for note in rule.notes:
            click.echo(f"      {note}", err=to_stderr)
