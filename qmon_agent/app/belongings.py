"""Which files an agent's memory is made of, and where they are."""

from __future__ import annotations

from pathlib import Path

import msgspec

from qmon_agent.settings import Locations, Settings
from qmon_agent.store.state import path_of
from qmon_agent.store.telemetry import places_of

STATE, TELEMETRY, DATABASE, CONFIG = "state", "telemetry", "database", "config"
SINGLE = ("conservation.json", "processors.json", "links.json", "imports.json")
"""Files of the state directory that are replaced whole when they change."""
JOURNALS = ("journal", "arrivals")
"""Folders of the state directory; what comes in goes from the second to the first."""
NOT_KEPT = frozenset({"lock", "reserve", "quarantine"})
"""Of a journal, what is about this machine or this run only."""


class Belongings(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything is; None is what another database keeps."""

    state: Path
    telemetry: Path | None
    database: Path | None
    elsewhere: tuple[str, ...] = ()
    """Sections whose database keeps it."""

    @classmethod
    def of(cls, locations: Locations, settings: Settings) -> Belongings:
        """As the configuration says; raises ConfigError for an address that is none."""
        section = settings.store
        directory, address = places_of(section.telemetry, locations.state / "telemetry")
        database = section.state or f"sqlite:///{locations.state}/state.db"
        own = {
            TELEMETRY: None if address else directory,
            DATABASE: path_of(database) if database.startswith("sqlite") else None,
        }
        return cls(
            state=locations.state,
            telemetry=own[TELEMETRY],
            database=own[DATABASE],
            elsewhere=tuple(name for name, place in own.items() if place is None),
        )
