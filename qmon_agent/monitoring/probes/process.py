"""Whether enough processes of a name run here."""

from __future__ import annotations

import re

import msgspec
import psutil

from qmon_agent.domain.errors import ConfigError

from . import Checked, Number


class ProcessProbe(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Counts the processes of a name, or whose command line matches."""

    executable: str = ""
    """The name, as `ps` shows it."""
    command: str = ""
    """A regular expression that is looked for in the whole command line."""
    at_least: int = 1
    """How many there have to be."""
    at_most: int = 0
    """How many there may be; 0 means any number."""

    def __post_init__(self) -> None:
        if not (self.executable or self.command):
            raise ConfigError("executable", "says nothing, and neither does command")
        try:
            re.compile(self.command)
        except re.error as problem:
            raise ConfigError("command", f"no regular expression: {problem}") from None

    @property
    def target(self) -> str:
        """Name or expression."""
        return self.executable or self.command

    def check(self, timeout_s: float) -> Checked:  # noqa: ARG002 - one pass over /proc
        """One pass over all processes; who ends meanwhile is not there."""
        count = sum(map(self._is_meant, psutil.process_iter()))
        number = Number(metric="probe.process.count", value=count, unit="{process}")
        if count < self.at_least or (self.at_most and count > self.at_most):
            return Checked(problem=f"{count} processes", type="count", numbers=(number,))
        return Checked(numbers=(number,))

    def _is_meant(self, process: psutil.Process) -> bool:
        try:
            if self.executable and process.name() != self.executable:
                return False
            return not self.command or bool(re.search(self.command, " ".join(process.cmdline())))
        except psutil.Error:
            return False
