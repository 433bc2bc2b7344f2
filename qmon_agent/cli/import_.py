"""`qmon-agent import`: what other tools kept, into the tables of this one."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._progress import Progress
from qmon_agent.cli._shown import show_json
from qmon_agent.cli._times import when
from qmon_agent.domain.durations import parse_span

if TYPE_CHECKING:
    from qmon_agent.app.bringing import Lot

_NS_PER_MS = 1_000_000


@click.group
def command() -> None:
    """Bring in what other tools kept; what was brought before is known, and not brought again."""


@command.command
@click.argument("place_of_data", metavar="DIRECTORY|URL")
@click.option(
    "--since",
    default="15d",
    show_default=True,
    help="Of a URL: how far back, or from which day on, to ask.",
)
@click.option("--metrics", default=".+", show_default=True, help="Of a URL: a regular expression.")
@click.option("--token", default="", help="Of a URL: the bearer token.", envvar="QMON_IMPORT_TOKEN")
@with_place
def prometheus(*, place_of_data: str, since: str, metrics: str, token: str, place: Place) -> int:
    """Samples: the blocks of a data directory or snapshot, or whoever answers remote read.

    Exit code 1: some chunks could not be read.
    """
    from qmon_agent.app.bringing import book_of
    from qmon_agent.app.bringing_series import lots_of_blocks, lots_of_slices
    from qmon_agent.ingest.drawn import Drawing

    drawing = Drawing()
    if place_of_data.startswith(("http://", "https://")):
        now = time.time_ns()
        span = when("--since", since, now=now, ago=parse_span) // _NS_PER_MS, now // _NS_PER_MS
        lots = lots_of_slices(place_of_data, drawing, metrics=metrics, span=span, token=token)
    else:
        book = book_of(place.locations)
        lots = lots_of_blocks(Path(place_of_data), drawing, book)
    return _bring(lots, drawing.left_out, place)


@command.command
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--service", default="sentry", show_default=True, help="Of what names none.")
@with_place
def sentry(*, file: Path, service: str, place: Place) -> int:
    """Errors: a file of issues or events as Sentry exports them, JSON or a line each.

    Exit code 1: some could not be taken.
    """
    from qmon_agent.app.bringing_files import lot_of_file
    from qmon_agent.ingest.sentry.exported import groups_of

    left_out: Counter[str] = Counter()
    lot = lot_of_file(file, "sentry", groups_of, service=service, left_out=left_out)
    return _bring([lot], left_out, place)


@command.command
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--service", default="posthog", show_default=True, help="Of what names none.")
@with_place
def posthog(*, file: Path, service: str, place: Place) -> int:
    """Events: a file as PostHog exports them, JSON, CSV or Parquet.

    Exit code 1: some could not be taken.
    """
    from qmon_agent.app.bringing_files import lot_of_file
    from qmon_agent.ingest.posthog.exported import groups_of

    left_out: Counter[str] = Counter()
    lot = lot_of_file(file, "posthog", groups_of, service=service, left_out=left_out)
    return _bring([lot], left_out, place)


# Read, and left out by the laws that counters and values go by: that is no trouble.
_EXPECTED = frozenset(
    {"first_of_its_series_or_known", "stale", "not_finite", "brought_before", "deleted"}
)


def _bring(lots: list[Lot], left_out: Counter[str], place: Place) -> int:
    from qmon_agent.app.bringing import bring

    progress = Progress()
    try:
        brought = bring(lots, place.locations, left_out=left_out, say=progress.say)
    finally:
        progress.end()
    troubled = {reason: n for reason, n in left_out.items() if reason not in _EXPECTED}
    if place.json:
        counts = {"signals": dict(brought.signals), "left_out": dict(left_out)}
        lots_told = {"lots": brought.lots, "known": brought.known}
        show_json({"version": 1, "ok": not troubled, **counts, **lots_told})
    else:
        told = ", ".join(f"{n} {kind}s" for kind, n in brought.signals.items()) or "nothing new"
        known = f"; {brought.known} of {len(lots)} parts were known" if brought.known else ""
        click.echo(f"brought {told}{known}")
        for reason, n in left_out.items():
            click.echo(f"left out: {n} {reason.replace('_', ' ')}", err=True)
    return int(bool(troubled))
