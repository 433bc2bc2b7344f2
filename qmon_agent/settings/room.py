"""`[store]`: how much memory and disk it may take, as people write sizes."""

from __future__ import annotations

from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.sizes import parse_size, print_size
from qmon_agent.settings.options import JournalSection, Settings, Store

LEAST_MEMORY = 280_000_000
"""Bytes; with less, what is moved, joined and rolled up no longer fits."""

BESIDE_JOURNAL = 1_000_000_000
"""Bytes; recent rows have to fit beside the longest journal."""


def memory_of(section: Store) -> int:
    """Bytes the store's worker may take; ConfigError if it is no size, or too small."""
    memory = _size(section.memory, "store.memory")
    if memory < LEAST_MEMORY:
        raise ConfigError("store.memory", f"is at least 280MB, not {section.memory!r}")
    return memory


def disk_of(section: Store) -> int | None:
    """Bytes telemetry and journal may take on the disk, None for any; ConfigError if no size."""
    if section.disk_bytes == "":
        return None
    disk = _size(section.disk_bytes, "store.disk_bytes")
    if disk < 1:
        raise ConfigError("store.disk_bytes", "is at least 1; leave it out for no bound")
    return disk


def journal_of(section: JournalSection) -> int:
    """Bytes the journal may take; ConfigError if it is no size."""
    size = _size(section.max_bytes, "journal.max_bytes")
    if size < 1:
        raise ConfigError("journal.max_bytes", "is at least 1")
    return size


def check_room(settings: Settings) -> None:
    """ConfigError for what is no size, or too small: the disk has to hold the journal, too."""
    memory_of(settings.store)
    disk, journal = disk_of(settings.store), journal_of(settings.journal)
    if disk is not None and disk < journal + BESIDE_JOURNAL:
        least = print_size(journal + BESIDE_JOURNAL)
        reason = f"is at least {least}: [journal] max_bytes, which it includes, and 1 GB"
        raise ConfigError("store.disk_bytes", reason)


def _size(text: str | int, path: str) -> int:
    try:
        return parse_size(text)
    except ValueError as problem:
        raise ConfigError(path, str(problem)) from None
