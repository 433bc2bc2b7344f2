"""`qmon-agent demo`: a real shop under load, watched from its requests to a delivered alert."""

from __future__ import annotations

import signal
from importlib.util import find_spec
from types import FrameType

import click

from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json
from qmon_agent.domain.errors import QmonError

# What the demo stands on → the extra that brings it.
_NEEDED = {"flask": "demo", "werkzeug": "demo", "duckdb": "store", "pyarrow": "store"}

_STOPS = (signal.SIGINT, signal.SIGTERM)


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
@with_place
def command(*, seconds: int, keep: bool, place: Place) -> int:
    """Watch a real shop: its own agent, loopback only, nothing to set up, nothing left behind."""
    _check()
    # With rich and all that the demo is made of: nobody pays for it before knowing it can run.
    from qmon_agent.cli.demo_play import play
    from qmon_agent.cli.demo_view import show_outcome, view_for

    for told_to_stop in _STOPS:
        signal.signal(told_to_stop, _interrupt)
    with view_for(json=place.json) as view:
        outcome = play(seconds, keep=keep, look=view.look)
    if place.json:
        show_json(outcome.document())
    else:
        show_outcome(outcome)
    return 0 if outcome.adds_up and outcome.arrivals else 1


def _check() -> None:
    missing = {name: extra for name, extra in _NEEDED.items() if find_spec(name) is None}
    if missing:
        extras = ",".join(sorted({"agent", *missing.values()}))
        raise MissingError(
            f"the demo needs {', '.join(missing)}: python -m pip install 'qmon[{extras}]'"
        )


def _interrupt(_: int, __: FrameType | None) -> None:
    """Stop once: a second Ctrl-C must not keep what was started from being ended."""
    for told_to_stop in _STOPS:
        signal.signal(told_to_stop, signal.SIG_IGN)
    raise KeyboardInterrupt
