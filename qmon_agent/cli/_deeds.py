"""What the commands have in common by which somebody does something with an incident."""

from __future__ import annotations

import getpass
from typing import Any

import click

from qmon_agent.cli._control import find_control
from qmon_agent.cli._place import Place
from qmon_agent.cli._shown import show_json
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError

by_option = click.option("--by", default="", help="Who; else who is signed in here.")


def do(place: Place, incident: str, deed: str, **asked: Any) -> dict[str, Any]:
    """Let the agent do it; its answer is shown here where JSON is wanted, and else by nobody."""
    body = {**asked, "by": asked.get("by") or getpass.getuser()}
    answer: dict[str, Any] = find_control(place.locations).post(
        f"/api/incidents/{incident}/{deed}", body
    )
    if place.json:
        show_json(answer)
    return answer


def seconds_of(option: str, text: str) -> float:
    """The seconds of a duration; raises ConfigError that names the option."""
    try:
        return parse_duration(text) / 1e9
    except ValueError as problem:
        raise ConfigError(option, str(problem)) from None
