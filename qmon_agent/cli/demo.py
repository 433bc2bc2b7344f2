"""`qmon-agent demo`: a real shop under load, watched from its requests to a delivered alert."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from importlib.util import find_spec
from types import FrameType
from typing import Any

import click

from qmon_agent.cli._shown import show_json
from qmon_agent.domain.errors import QmonError

# What the demo stands on → the extra that brings it.
_NEEDED = {"flask": "demo", "werkzeug": "demo", "duckdb": "store", "pyarrow": "store"}

_STOPS = (signal.SIGINT, signal.SIGTERM)
_INTERRUPTED = 130


class MissingError(QmonError):
    """Something the demo stands on is not installed."""

    exit_code = 2


@click.command
@click.option(
    "--seconds",
    type=click.IntRange(min=3, max=3600),
    default=30,
    show_default=True,
    help="How long the crowd stays.",
)
@click.option("--keep", is_flag=True, help="Keep the state directory, to go on asking it.")
@click.option("--json", is_flag=True, help="One JSON document.")
@click.pass_context
def command(context: click.Context, *, seconds: int, keep: bool, json: bool) -> int:
    """Watch a real shop: its own agent and state, loopback only, nothing left behind.

    Ctrl-C ends it early, with a summary of what was seen so far; a second one at once.
    """
    outer = context.find_root().params
    _refuse_places(outer)
    _check()
    # With rich and all that the demo is made of: nobody pays for it before knowing it can run.
    from qmon_agent.cli.demo_play import play
    from qmon_agent.cli.demo_view import show_outcome, view_for

    ending = Ending()
    json = json or bool(outer.get("json"))
    with view_for(json=json) as view:
        outcome = play(seconds, keep=keep, look=view.look, is_over=ending.is_asked_for)
    if json:
        show_json(outcome.document())
    else:
        show_outcome(outcome)
    if outcome.interrupted:
        return _INTERRUPTED
    return 0 if outcome.adds_up and outcome.arrivals else 1


class Ending:
    """Ctrl-C and SIGTERM: the first asks for the end, the second does not wait for it."""

    def __init__(self) -> None:
        self._asked = False
        for told_to_stop in _STOPS:
            signal.signal(told_to_stop, self._hear)

    def is_asked_for(self) -> bool:
        return self._asked

    def _hear(self, _: int, __: FrameType | None) -> None:
        if not self._asked:
            self._asked = True
            return
        # A third must not keep what was started from being ended.
        for told_to_stop in _STOPS:
            signal.signal(told_to_stop, signal.SIG_IGN)
        raise KeyboardInterrupt


def _refuse_places(outer: Mapping[str, Any]) -> None:
    """Say so instead of passing over what was asked for in front of the command."""
    for name in ("state", "config"):
        if outer.get(name) is not None:
            raise click.UsageError(f"the demo has a {name} of its own: leave --{name} out")


def _check() -> None:
    missing = {name: extra for name, extra in _NEEDED.items() if find_spec(name) is None}
    if missing:
        extras = ",".join(sorted({"agent", *missing.values()}))
        raise MissingError(
            f"the demo needs {', '.join(missing)}: python -m pip install 'qmon[{extras}]'"
        )
