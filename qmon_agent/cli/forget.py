"""`qmon-agent forget`: take out all that is known of a user."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator, Mapping
from typing import Any

import click

from qmon_agent.cli._control import Control, UnreachableError, find_control
from qmon_agent.cli._deeds import seconds_of
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import printable, show_json

_LOOK_S = 0.3


@click.command
@click.argument("user")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--author", default="", help="Who asks; else who is signed in here.")
@click.option("--wait", "patience", default="10m", show_default=True, help="How long to wait.")
@with_place
def command(*, user: str, dry_run: bool, author: str, patience: str, place: Place) -> int:
    """Take out all that is known of USER, and report it; exit code 1 if it is not done in time.

    The agent goes on with it then, also after it was killed.
    """
    control = find_control(place.locations)
    patience_s = seconds_of("--wait", patience)
    body = {"user": user, "author": author or getpass.getuser(), "dry_run": dry_run}
    answer = control.query(body, route="/api/forget")
    if not dry_run:
        answer = _awaited(control, answer, patience_s=patience_s)
    if place.json:
        show_json(answer)
    else:
        for line in _lines(answer):
            click.echo(printable(line))
    return 0 if dry_run or answer["request"]["finished"] else 1


def _awaited(control: Control, begun: dict[str, Any], *, patience_s: float) -> dict[str, Any]:
    name, until = begun["request"]["id"], time.monotonic() + patience_s
    answer = begun
    while not answer["request"]["finished"] and time.monotonic() < until:
        time.sleep(_LOOK_S)
        try:
            answer = control.get(f"/api/forget/{name}")
        except UnreachableError:
            continue  # it may be starting again, and goes on with it then
    return answer


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    is_dry = answer.get("dry_run", False)
    report = answer["report"] if is_dry else answer["request"]["report"]
    yield from _told("store", report.get("store", {}), is_dry=is_dry)
    yield from _told("state", report.get("state", {}), is_dry=is_dry)
    letters = report.get("dead_letters", {}).get("removed", 0)
    if letters:
        yield f"dead letters: {letters} removed"
    if is_dry:
        yield "nothing was changed (--dry-run)"
    elif answer["request"]["finished"]:
        yield "done; the journal has nothing any more from before the request"
    else:
        waiting = report.get("waiting") or "it is being done"
        yield f"not done yet: {waiting}; the agent goes on with request {answer['request']['id']}"


def _told(place: str, said: Mapping[str, Any], *, is_dry: bool) -> Iterator[str]:
    done = "would be removed" if is_dry else "removed"
    for name, rows in sorted(said.get("removed", {}).items()):
        yield f"{place}: {rows} rows of {name} {done}"
    held = said.get("held", {})
    for name, rows in sorted(held.items()) if isinstance(held, dict) else ():
        yield f"{place}: {rows} rows of {name} kept, because they are held"
    if held is True:
        yield f"{place}: nothing removed, because it is held"
    for name, rows in sorted(said.get("left", {}).items()):
        yield f"{place}: {rows} rows of {name} left: look at them yourself"
    if aside := said.get("set_aside", 0):
        yield f"{place}: {aside} damaged files are set aside, and were not looked into"
