"""What sources that come in through the agent's HTTP port have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from qmon_agent.ingest.entrance import Entrance
from qmon_agent.ingest.sources import Door


class MountedSource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """A source at its `entrance`: the port is opened by others, so it only keeps the door."""

    entrance: ClassVar[Entrance]

    enabled: bool = True

    def __post_init__(self) -> None:
        self._door: Door | None = None

    async def start(self, door: Door) -> None:
        self._door = door

    async def stop(self) -> None:
        """From now on it is answered that the agent is stopping."""
        self._door = None

    def describe(self) -> Mapping[str, Any]:
        return {"paths": [*self.entrance.paths]}
