"""Whether the agent lives and is ready, in words: cheap to ask, and asked by strangers too."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from qmon_agent.app.parts import Parts
from qmon_agent.app.watchdog import Watchdog
from qmon_agent.vitals import Vitals

_LINES = 200


class Log:
    """What the agent says, passed on to whoever listens; the last lines stay at hand."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._lines: deque[tuple[float, str]] = deque(maxlen=_LINES)

    def __call__(self, line: str) -> None:
        """From any thread."""
        self._lines.append((time.time(), line))
        self._say(line)

    def lines(self) -> list[dict[str, float | str]]:
        return [{"time": at, "line": line} for at, line in [*self._lines]]


class Health:
    """What a probe may know: alive, as long as every loop turns; ready, when signals are taken."""

    def __init__(self, parts: Parts) -> None:
        self.watchdog: Watchdog | None = None
        self.loops: Callable[[], Mapping[str, str]] = dict
        """Every loop's own word, by name."""
        self.stage: Literal["starting", "ready", "stopping"] = "starting"
        self.waits_for = ""
        """What a start is held up by."""
        self._parts = parts

    @property
    def vitals(self) -> Vitals:
        return self._parts.vitals

    @property
    def is_ready(self) -> bool:
        return not self.unready()

    def hung(self) -> Mapping[str, str]:
        """The loops that are stuck, and in what."""
        return self.watchdog.troubles if self.watchdog is not None else {}

    def unready(self) -> dict[str, str]:
        """Why it takes nothing now, by a word that strangers may see; nothing when it does."""
        return dict(self._reasons())

    def describe(self) -> dict[str, Any]:
        return {"ready": self.is_ready, "unready": self.unready(), "loops": dict(self.loops())}

    def _reasons(self) -> Iterator[tuple[str, str]]:
        if self.stage != "ready":
            held_up = f": {self.waits_for}" if self.waits_for else ""
            yield self.stage, f"the agent is {self.stage}{held_up}"
        if trouble := self._parts.taking.journal.trouble:
            yield "journal", f"the journal is not written: {trouble}"
        if self._parts.taking.intake.admission.is_full:
            yield "full", "as much waits for the journal as memory allows"
        if hung := self.hung():
            yield "hung", "; ".join(f"loop {name}: {trouble}" for name, trouble in hung.items())
