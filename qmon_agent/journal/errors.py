"""What can go wrong with a journal, which is little: damage is counted, not raised.

QmonError
└── JournalError
    ├── JournalInUseError
    └── JournalFullError
"""

from __future__ import annotations

from pathlib import Path

from qmon_agent.domain.errors import QmonError


class JournalError(QmonError):
    """Something the journal cannot do."""


class JournalInUseError(JournalError):
    """Another living process writes this journal."""

    def __init__(self, directory: Path) -> None:
        super().__init__(f"{directory} is written by another agent: stop it, or choose --state")
        self.directory = directory


class JournalFullError(JournalError):
    """The disk does not take and memory is at its bound; the sender keeps its data."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the journal cannot take more now ({reason})")
        self.reason = reason
