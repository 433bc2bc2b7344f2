"""`qmon-agent top`: who sends most, what explodes, and where it goes, as it happens."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from typing import Any

import click

from qmon_agent.cli._control import find_control
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json
from qmon_agent.cli._top_figures import figures
from qmon_agent.cli._top_lines import lines_of

_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_LEAST_S, _MOST_S = 0.1, 3600.0


def _checked(_: click.Context, __: click.Parameter, interval_s: float) -> float:
    if not _LEAST_S <= interval_s <= _MOST_S:
        reason = f"{interval_s:g} is not possible: {_LEAST_S:g} to {_MOST_S:g} seconds"
        raise click.BadParameter(reason)
    return interval_s


@click.command
@click.option("--once", is_flag=True, help="One picture instead of a live one.")
@click.option(
    "--interval",
    "interval_s",
    metavar="SECONDS",
    default=1.0,
    show_default=True,
    callback=_checked,
    help="Time between two readings.",
)
@click.option("-n", "--rows", default=8, show_default=True, help="Rows of each table.")
@with_place
def command(*, once: bool, interval_s: float, rows: int, place: Place) -> None:
    """Show live who sends most, which metrics and labels explode, and how far sinks are.

    Figures are those of the last interval. Ends with Ctrl-C. With --json, or where nobody watches
    on a terminal, one picture is shown.
    """
    readings = _Readings(place, interval_s=interval_s)
    if place.json:
        show_json({"version": 1, **readings.next()})
    elif once or not sys.stdout.isatty():
        for line in lines_of(readings.next(), rows=rows):
            click.echo(line)
    else:
        _live(readings, rows)


class _Readings:
    """Asks again and again; each answer is compared with the one before."""

    def __init__(self, place: Place, *, interval_s: float) -> None:
        self._place = place
        self._interval_s = interval_s
        self._last = self._ask()

    def next(self) -> dict[str, Any]:
        time.sleep(self._interval_s)
        before, self._last = self._last, self._ask()
        return figures(before, self._last)

    def _ask(self) -> Mapping[str, Any]:
        return find_control(self._place.locations).get("/api/top")


def _live(readings: _Readings, rows: int) -> None:
    """Redraws in place, on a screen of its own, as large as the terminal is at that moment."""
    click.echo(_ENTER, nl=False)
    try:
        while getattr(sys.stdout, "is_heard", True):
            shown = readings.next()
            size = shutil.get_terminal_size()
            lines = [line[: size.columns] for line in lines_of(shown, rows=rows)]
            body = f"{_CLEAR_LINE}\n".join(lines[: size.lines - 1])
            click.echo(f"{_HOME}{body}{_CLEAR_LINE}\n{_CLEAR_BELOW}", nl=False)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return
    finally:
        click.echo(_LEAVE, nl=False)
