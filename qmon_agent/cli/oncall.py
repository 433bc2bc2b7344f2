"""`qmon-agent oncall`: whose turn it is, and whose it will be."""

from __future__ import annotations

from collections.abc import Iterator

import click

from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json, show_table
from qmon_agent.domain.alarms.rotations import DutySchedule, turns
from qmon_agent.domain.clock import SystemClock
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.schedules import wall_clock

_DAY_NS = 86_400 * 10**9


@click.command
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 366), help="So far.")
@click.option("--zone", default="UTC", show_default=True, help="By the clocks of this place.")
@with_place
def command(*, days: int, zone: str, place: Place) -> int:
    """List who is on call from now on; exit code 1 where at some time nobody is."""
    from qmon_agent.app.checking import load_plugins

    _, plugins = load_plugins(place.locations.config)
    if plugins.routing is None or not plugins.routing.duty.schedules:
        raise ConfigError("oncall", "there are no schedules")
    now = SystemClock().now()
    rows = [
        row
        for schedule in plugins.routing.duty.schedules.values()
        for row in _rows(schedule, now, days=days, zone=zone)
    ]
    if place.json:
        show_json({"version": 1, "turns": rows})
    else:
        show_table(("schedule", "from", "person"), rows)
    return int(any(not row["person"] for row in rows))


def _rows(
    schedule: DutySchedule, now: int, *, days: int, zone: str
) -> Iterator[dict[str, str | int]]:
    for start, person in turns(schedule, now, now + days * _DAY_NS):
        shown = wall_clock(start, zone)
        yield {"schedule": schedule.name, "from": shown, "person": person, "starts_at": start}
