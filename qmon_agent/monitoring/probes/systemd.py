"""Whether a unit of systemd is active."""

from __future__ import annotations

import subprocess

import msgspec

from . import Checked, Number, UnknownError

_ASKED = "ActiveState,SubState,LoadState,NRestarts"


class SystemdProbe(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Asks `systemctl show` for the state of a unit."""

    unit: str
    """The unit, as `nginx.service`."""
    states: tuple[str, ...] = ("active", "reloading")
    """The states that are right."""
    program: str = "systemctl"
    """Who is asked."""

    @property
    def target(self) -> str:
        """The unit."""
        return self.unit

    def check(self, timeout_s: float) -> Checked:
        """Without systemd, or without a right to ask it, nothing is known."""
        command = [self.program, "show", f"--property={_ASKED}", "--", self.unit]
        try:
            done = subprocess.run(  # noqa: S603 - no shell, and the words are the configuration's
                command, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as trouble:
            raise UnknownError(f"{self.program} does not answer: {trouble}") from trouble
        said = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        if done.returncode or "ActiveState" not in said:
            raise UnknownError(done.stderr.strip()[:200] or f"{self.program} says nothing")
        restarts = said.get("NRestarts", "")
        numbers = (
            (Number(metric="probe.systemd.restarts", value=int(restarts), unit="{restart}"),)
            if restarts.isdigit()
            else ()
        )
        if said.get("LoadState") == "not-found":
            return Checked(problem="there is no such unit", type="missing", numbers=numbers)
        if said["ActiveState"] not in self.states:
            problem = f"{said['ActiveState']} ({said.get('SubState', '')})"
            return Checked(problem=problem, type=said["ActiveState"], numbers=numbers)
        return Checked(numbers=numbers)
