"""Whether a file is there, and fresh: the backup of tonight, the heartbeat of a job."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError

from . import Checked, Number, UnknownError


class FileProbe(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Looks at a file's age and size."""

    path: str
    """The file."""
    max_age: str | float = ""
    """How long ago it may have been written."""
    min_bytes: int = 0
    """How large it has to be."""
    _oldest_s: float = 0.0

    def __post_init__(self) -> None:
        try:
            self._oldest_s = parse_duration(self.max_age) / SECOND
        except ValueError as problem:
            raise ConfigError("max_age", str(problem)) from None

    @property
    def target(self) -> str:
        """Where it is."""
        return self.path

    def check(self, timeout_s: float) -> Checked:  # noqa: ARG002 - a disk knows no timeout
        """One look; a folder that is not ours to look into tells nothing."""
        try:
            status = Path(self.path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return Checked(problem="it is not there", type="missing")
        except OSError as trouble:
            # A right that is missing, or the disk's own trouble: not what was asked for.
            raise UnknownError(f"{self.path}: {trouble.strerror}") from trouble
        age = time.time() - status.st_mtime
        numbers = (
            Number(metric="probe.file.age", value=age, unit="s"),
            Number(metric="probe.file.size", value=status.st_size, unit="By"),
        )
        if self._oldest_s and age > self._oldest_s:
            return Checked(problem=f"it is {age:.0f} s old", type="old", numbers=numbers)
        if status.st_size < self.min_bytes:
            problem = f"it has {status.st_size} bytes only"
            return Checked(problem=problem, type="small", numbers=numbers)
        return Checked(numbers=numbers)
