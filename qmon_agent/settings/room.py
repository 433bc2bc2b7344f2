"""`[store]`: how much memory and disk it may take, as people write sizes."""

from __future__ import annotations

from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.sizes import parse_size
from qmon_agent.settings.options import Store

LEAST_MEMORY = 256_000_000
"""Bytes; with less, what is joined and rolled up no longer fits."""


def memory_of(section: Store) -> int:
    """Bytes the store's worker may take; ConfigError if it is no size, or too small."""
    memory = _size(section.memory, "store.memory")
    if memory < LEAST_MEMORY:
        raise ConfigError("store.memory", f"is at least 256MB, not {section.memory!r}")
    return memory


def _size(text: str | int, path: str) -> int:
    try:
        return parse_size(text)
    except ValueError as problem:
        raise ConfigError(path, str(problem)) from None
