"""Ways in: one file each, found by folder, configured by `[sources.NAME]`.

A source is a class named after its file (`unix.py` holds `UnixSource`); its fields are its options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from qmon_agent.domain.errors import ConfigError, QmonError, UnknownPluginError, raise_all
from qmon_agent.domain.plugins import Registry
from qmon_agent.ingest.company import Company
from qmon_agent.ingest.pipeline import Intake
from qmon_agent.ingest.recollection import Recollections
from qmon_agent.vitals import Vitals


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """What a source is given when it starts: the pipeline, its usual places, and who may enter."""

    intake: Intake
    vitals: Vitals
    socket: Path
    spool: Path
    may_enter: Callable[[str], bool]
    """Whether a token carries the scope `ingest`."""
    passes_on: Callable[[str], bool] = lambda _: False
    """Whether messages of this protocol are passed on as they came, so that they are to be kept."""
    company: Company = msgspec.field(default_factory=Company)
    """Who is connected: sources that accept tell it, others may watch."""
    recollections: Recollections = msgspec.field(default_factory=Recollections)
    """The budget of what is remembered of bytes that come again and again."""


class Source(Protocol):
    """A way in. All three are called on the loop, by one task; none of them may block it.

    A source reads only as fast as admission allows, hands every frame to `Intake.take`, and
    acknowledges a frame only when its outcome says so.
    """

    enabled: bool

    async def start(self, door: Door) -> None:
        """Opens the way in; raises OSError or ConfigError when that cannot be done."""

    async def stop(self) -> None:
        """Takes nothing new; what was taken is answered still. May be called twice."""

    def describe(self) -> Mapping[str, Any]:
        """Where it listens and what is connected, for `status` and `doctor`."""


SOURCES: Registry[Source] = Registry("qmon_agent.ingest.sources", role="Source")


def make_sources(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Source]:
    """Every source that is enabled, with its section as its options."""
    made: dict[str, Source] = {}
    problems: list[QmonError] = []
    for name in dict.fromkeys((*sections, *SOURCES.names())):
        try:
            made[name] = SOURCES.build(name, sections.get(name, {}))
        except (ConfigError, UnknownPluginError) as problem:
            problem.path = problem.path or f"sources.{name}"
            problems.append(problem)
    raise_all(problems)
    return {name: made[name] for name in SOURCES.names() if made[name].enabled}
