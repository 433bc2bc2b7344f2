"""What `doctor --verify` says: every byte of segments, their list and the journal, read again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from qmon_agent.cli._rooms import Finding
from qmon_agent.cli._suspected import followed_up
from qmon_agent.cli._times import moment
from qmon_agent.domain.errors import QmonError
from qmon_agent.journal.verifying import Flaw, flaws
from qmon_agent.settings import Locations, load_settings
from qmon_agent.store.telemetry import places_of
from qmon_agent.store.telemetry.verifying import SET_ASIDE, Damage, verify


def verified(locations: Locations, *, now: int) -> Iterator[Finding]:
    """A line for each thing that is damaged, and one for what is well."""
    found = verify(_telemetry(locations))
    new = [each.file for each in found.damages if each.table and each.trouble != SET_ASIDE]
    becomes = followed_up(locations, new)
    for damage in found.damages:
        what = f"segment {damage.file}" if damage.table else damage.file
        words = filter(None, (_said(damage, now), becomes.get(damage.file)))
        yield Finding("fail", what, "; ".join(words))
    whole = found.segments - sum(1 for each in found.damages if each.table)
    if not found.damages:
        yield Finding("ok", "segments", f"{whole} verified, {found.bytes} bytes")
    broken = list(flaws(locations.journal))
    for flaw in broken:
        yield Finding("fail", f"journal {flaw.file}", _told(flaw))
    if not broken:
        yield Finding("ok", "journal", "every record verified")


def _telemetry(locations: Locations) -> Path:
    try:
        dsn = load_settings(locations.config).store.telemetry
    except QmonError:
        dsn = ""  # another line says what is wrong with the configuration
    return places_of(dsn, locations.state / "telemetry")[0]


def _said(damage: Damage, now: int) -> str:
    if not damage.table:
        return damage.trouble
    times = f"{moment(damage.oldest, now=now)} to {moment(damage.newest, now=now)}"
    return f"{damage.trouble}: {damage.rows} rows of {damage.table}, {damage.day}, {times}"


def _told(flaw: Flaw) -> str:
    last = flaw.last_id if flaw.last_id >= 0 else "its end"
    return (
        f"{flaw.bytes} bytes are no record; {flaw.records} records of it can be read, "
        f"others between {flaw.first_id} and {last} may be lost"
    )
