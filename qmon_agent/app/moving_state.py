"""Moves an agent's state into another database; the agent has to be stopped for it."""

from __future__ import annotations

from collections.abc import Callable

from qmon_agent.domain.errors import ConfigError, StoreError
from qmon_agent.settings import Locations, load_settings
from qmon_agent.settings.claim import is_claimed
from qmon_agent.store.state import StateStore, is_there
from qmon_agent.store.state.moving import Moved, move_state

_OWNER = "qmon-agent move-state"


def move(locations: Locations, to: str, password: str, *, say: Callable[[str], None]) -> Moved:
    """From where the configuration says to another DSN; raises StoreError and ConfigError."""
    if is_claimed(locations.lock):
        raise StoreError(f"an agent runs on {locations.state}; stop it, and move then")
    section = load_settings(locations.config).store
    source = section.state or f"sqlite:///{locations.state}/state.db"
    if to == source:
        raise ConfigError("--to", "names where the state is already")
    if not is_there(source, section.state_password):
        raise StoreError("there is no state to be moved")
    ours = StateStore.open(source, password=section.state_password, owner=_OWNER)
    try:
        theirs = StateStore.open(to, password=password, owner=_OWNER)
        try:
            return move_state(ours, theirs, say=say)
        finally:
            theirs.close()
    finally:
        ours.close()
