"""`--state`, `--config` and `--json`, before the command or after it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

from qmon_agent.settings import Locations, find_locations

F = TypeVar("F", bound=Callable[..., Any])
_NAMES = ("state", "config", "json")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Which agent is meant, and how to answer."""

    locations: Locations
    json: bool


def add_place_options(command: F) -> F:
    """Adds the three options; what is said closer to the command wins."""
    options = (
        click.option("--json", is_flag=True, default=None, help="One JSON document."),
        click.option("--config", metavar="FILE", help="Configuration [DIR/qmon.toml]."),
        click.option("--state", metavar="DIR", help="State directory [QMON_STATE_DIR]."),
    )
    for option in options:
        command = option(command)
    return command


def with_place(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command its `place`, made of the options here, further out, and the environment."""

    @add_place_options
    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> Any:
        said = {name: _said(name, options.pop(name)) for name in _NAMES}
        locations = find_locations(
            state=said["state"], config=said["config"], socket=options.get("socket")
        )
        return command(*args, place=Place(locations=locations, json=bool(said["json"])), **options)

    return wrapped


def _said(name: str, value: Any) -> Any:
    context = click.get_current_context().parent
    while value is None and context is not None:
        value = context.params.get(name)
        context = context.parent
    return value
