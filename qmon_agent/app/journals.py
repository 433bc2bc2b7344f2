"""How the journal is opened, and what the agent keeps beside it: cursors, books, checkpoints."""

from __future__ import annotations

from pathlib import Path

import msgspec

from qmon_agent import durable
from qmon_agent.app.conservation import Conservation
from qmon_agent.domain.clock import Clock
from qmon_agent.journal import START, Journal, JournalOptions, Position
from qmon_agent.settings import Admission, JournalSection
from qmon_agent.settings.room import journal_of

RULES = "rules"
STORE = "store"
_PATIENCE_S = 30.0


def open_journal(
    directory: Path, options: JournalSection, *, admission: Admission, clock: Clock
) -> Journal:
    """The journal, with the bounds the configuration gives it."""
    return Journal.open(
        directory,
        options=JournalOptions(
            max_bytes=journal_of(options),
            max_age_s=options.max_age_s,
            segment_bytes=options.segment_bytes,
            memory_bytes=2 * admission.memory_bytes,
            patience_s=_PATIENCE_S,
        ),
        clock=clock,
    )


def walk_start(journal: Journal, judged: Position, conservation: Conservation) -> Position:
    """Where the walk goes on: where both the rules and the books have been."""
    saved = journal.cursors.load(RULES) or START
    if conservation.record_id < saved.record_id:
        # The books are older than the cursor, or gone: what the journal still has is booked anew.
        return START
    return min(saved, judged)


def save_cursor(journal: Journal, name: str, position: Position) -> bool:
    """Whether the disk took it; an old cursor costs some reading again, and nothing else."""
    try:
        journal.cursors.save(name, position)
    except OSError:
        return False
    return True


def hold_back_trimming(journal: Journal, name: str) -> None:
    """Gives a reader that never read a place before the first record."""
    if journal.cursors.load(name) is None:
        save_cursor(journal, name, START)


def load_conservation(path: Path) -> Conservation:
    """The books as they were last written; new ones when there are none that can be read."""
    try:
        content = durable.read(path, patience_s=_PATIENCE_S)
        return msgspec.json.decode(content, type=Conservation)
    except (OSError, msgspec.MsgspecError):
        return Conservation()


def save_conservation(conservation: Conservation, path: Path) -> None:
    """Whoever reads sees the whole of one version."""
    durable.replace(path, msgspec.json.encode(conservation))
