"""What is made of one envelope, until it is a parcel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qmon_agent.ingest.foreign import Group
from qmon_agent.ingest.loose import mapping
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Signal

from .scope import resource_of


class Gathered:
    """Signals by who speaks in them, and what is not kept by kind and reason."""

    def __init__(self, headers: Mapping[str, Any], *, service: str, now: int) -> None:
        self.headers = headers
        self.now = now
        self.dropped: dict[str, int] = {}
        self.noted: dict[str, int] = {}
        """What is neither: said twice, or about something that is counted itself."""
        self._service = service
        self._groups: dict[tuple[object, ...], tuple[Resource, list[Signal]]] = {}

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(self._groups.values())

    def keep(self, said: Mapping[str, Any], signals: Iterable[Signal]) -> None:
        """Keep signals of whoever `said` names by release, environment, tags and the like."""
        sdk = mapping(said.get("sdk") or self.headers.get("sdk"))
        resource = resource_of(said, service=self._service, sdk=sdk)
        group = self._groups.setdefault((*resource[:-1],), (resource, []))
        group[1].extend(signals)

    def drop(self, kind: str, reason: str, n: int = 1) -> None:
        key = f"{kind}/{reason}"
        self.dropped[key] = self.dropped.get(key, 0) + n

    def note(self, what: str, n: int = 1) -> None:
        self.noted[what] = self.noted.get(what, 0) + n
