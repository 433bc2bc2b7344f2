"""`qmon-agent backtest`: how often would an alert have fired, and when."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from qmon_agent.cli._asking import asking
from qmon_agent.cli._backtested import backtested_lines
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._progress import Progress
from qmon_agent.cli._shown import show_json
from qmon_agent.cli._times import when
from qmon_agent.domain.errors import ConfigError, nearest_to

if TYPE_CHECKING:
    from qmon_agent.app.recalling import Span
    from qmon_agent.settings import AlertOptions


@click.command
@click.argument("names", metavar="[ALERT]...", nargs=-1)
@click.option(
    "--file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The alerts of this file, in place of those of the configuration.",
)
@click.option(
    "--since", default="7d", show_default=True, help="From how long ago, or which day, on."
)
@click.option("--until", default="0s", show_default=True, help="Until how long ago, or which day.")
@with_place
def command(
    *, names: tuple[str, ...], file: Path | None, since: str, until: str, place: Place
) -> int:
    """Say how often ALERT would have fired on what is stored, when, and how bad it was.

    Without a name, every alert of --file. What really fired is shown beside it, where it is known.
    A running agent is asked for what it has stored, or the state directory of a stopped one.
    Exit code 1: a rule could not be worked out.
    """
    # Imported here: it brings the rules and the state store.
    from qmon_agent.app.backtesting import backtest, needed
    from qmon_agent.app.rules_read import alerts_in

    files = [path for path in (file or place.locations.config,) if path]
    alerts = alerts_in(files)
    asked = _asked(names, alerts, is_every=file is not None)
    span = _span(since, until)
    progress = Progress(is_wanted=not place.json)

    def say(at: int, rows: int) -> None:
        part = (at - span.since) / (span.until - span.since)
        progress.say(f"{part:4.0%}, {rows} rows")

    with asking(place) as ask:
        done = backtest(needed(alerts, asked), asked, ask, span=span, progress=say)
    progress.end()
    if place.json:
        show_json({"version": 1, **msgspec.to_builtins(done)})
    else:
        for line in backtested_lines(done):
            click.echo(line)
    return int(any(each.failures for each in done.alerts))


def _asked(
    names: tuple[str, ...], alerts: tuple[AlertOptions, ...], *, is_every: bool
) -> tuple[str, ...]:
    known = [each.name for each in alerts]
    if not names and not is_every:
        raise click.UsageError("name an alert, or a file of alerts by --file")
    for name in names:
        if name not in known:
            near = nearest_to(name, known) or tuple(known)
            raise ConfigError("", f"there is no alert {name!r}", near)
    return names or tuple(known)


def _span(since: str, until: str) -> Span:
    from qmon_agent.app.recalling import Span

    now = time.time_ns()
    span = Span(since=when("--since", since, now=now), until=when("--until", until, now=now))
    if span.since >= span.until:
        raise click.UsageError("--since has to be longer ago than --until")
    return span
