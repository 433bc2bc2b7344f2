"""The state as the configuration names it, looked at from beside whoever owns it."""

from __future__ import annotations

from qmon_agent.settings import Locations, load_settings
from qmon_agent.store.state import Examined, examine


def examine_state(locations: Locations) -> Examined:
    """Whether it is whole; blocks for reading all of a file of SQLite. Raises ConfigError."""
    section = load_settings(locations.config).store
    dsn = section.state or f"sqlite:///{locations.state}/state.db"
    return examine(dsn, section.state_password, thoroughly=True)
