"""`qmon-agent ask`: a question by its name, answered by a running agent or by what one left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from qmon_agent.cli._asking import ask_by_name, not_stored
from qmon_agent.cli._drawn import lines_of
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json, show_table
from qmon_agent.store.telemetry.asked import all_questions
from qmon_agent.store.telemetry.questions import QUESTIONS, Series

_TABLE_ROWS = 100
_SAID = {"ignore_unknown_options": True, "allow_extra_args": True}


@click.command(context_settings=_SAID)
@click.argument("name", required=False)
@click.option("--explain", is_flag=True, help="How the engine would go about it.")
@click.option("--rows", is_flag=True, help="Every row, and not a line for each series.")
@click.pass_context
@with_place
def command(
    context: click.Context, *, name: str | None, explain: bool, rows: bool, place: Place
) -> None:
    """Answer a question by its name; without one, list what may be asked.

    Each parameter is an option of its name: `ask latency_by_route --since 2h --service shop`.
    Every question has these besides: `--limit N`, the most rows; `--timeout-s S`, of a running
    agent; `--layout rows|series`, with --json how they are told, else as with --rows, or in lines.
    """
    said = _said(context.args)
    if name is None:
        _list(place)
        return
    if rows and said.setdefault("layout", "rows") != "rows":
        raise click.UsageError("--rows and --layout contradict each other")
    series = None if said.get("layout") == "rows" else _series_of(name)
    if explain:
        said["explain"] = "true"
    elif not place.json:
        said.setdefault("layout", "series" if series is not None else "rows")
    answer = ask_by_name(name, said, place)
    if place.json:
        show_json(answer)
    elif explain:
        click.echo(answer["plan"])
    else:
        _show(series, answer)


def _said(words: Sequence[str]) -> dict[str, str]:
    """`--name value` and `--name=value` as what they say; raises UsageError."""
    said: dict[str, str] = {}
    waiting = list(words)
    while waiting:
        option, equals, value = waiting.pop(0).partition("=")
        if not option.startswith("--"):
            raise click.UsageError(f"{option!r} is no option: parameters are said as --name value")
        if not equals and not waiting:
            raise click.UsageError(f"{option} has no value")
        key = option[2:].replace("-", "_")
        if key in said:
            raise click.UsageError(f"{option} is said twice")
        said[key] = value if equals else waiting.pop(0)
    return said


def _list(place: Place) -> None:
    known = list(all_questions())
    if place.json:
        show_json({"version": 1, "questions": known})
        return
    for question in known:
        click.echo(f"{question['name']}\n  {question['about']}")
        for parameter in question["parameters"]:
            option = parameter["name"].replace("_", "-")
            click.echo(f"  --{option.ljust(12)} {_described(parameter)}")


def _described(parameter: Mapping[str, Any]) -> str:
    default = parameter.get("default")
    ending = f" [{default}]" if default else " (has to be said)" * parameter["required"]
    return f"{parameter['about']}{ending}"


def _series_of(name: str) -> Series | None:
    """Which columns make lines; none of a question that nobody knows: the agent says so."""
    return QUESTIONS.find(name).series if name in QUESTIONS.names() else None


def _show(series: Series | None, answer: Mapping[str, Any]) -> None:
    if series is not None:
        show_table(*lines_of(series, answer["series"]))
        number = sum(len(each[series.over]) for each in answer["series"])
    else:
        columns = [column["name"] for column in answer["columns"]]
        show_table(columns, answer["rows"][:_TABLE_ROWS])
        number = len(answer["rows"])
    for words in _remarks(answer, number, cut=series is None):
        click.echo(words, err=True)


def _remarks(answer: Mapping[str, Any], number: int, *, cut: bool) -> list[str]:
    """What belongs to an answer besides its rows."""
    said = [f"of {answer['tier']} rows, {answer['precision']}"]
    said += not_stored(answer["freshness"])
    if cut and number > _TABLE_ROWS:
        said.append(f"the first {_TABLE_ROWS} of {number} rows; all of them: --json")
    if answer["truncated"]:
        said.append(f"only the first {number} rows; see --limit")
    return said
