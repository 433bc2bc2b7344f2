"""What the pages behind the links of messages need of the agent: a port, which `app` fits."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

Standing = Literal["unknown", "expired", "over", "ready", "done"]


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with the one deed that a link permits."""

    standing: Standing
    title: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    said: str = ""
    """What has been done, or why nothing can be."""
    button: str = ""
    """What may be done: only where the standing is `ready`."""


class IncidentView(msgspec.Struct, frozen=True, kw_only=True):
    """One incident as its page shows it: one line each, whatever somebody wrote."""

    title: str
    facts: tuple[tuple[str, str], ...]
    history: tuple[tuple[str, str], ...]
    why: tuple[str, ...]


class LinkDesk(Protocol):
    """Links, read and followed. Only `act` changes anything; all of it waits for a disk."""

    async def look(self, text: str) -> LinkView: ...

    async def act(self, text: str) -> LinkView:
        """Do what it permits, once; what is done already, or over, stays as it is."""
        ...

    async def chart(self, text: str) -> bytes | None:
        """The picture a link permits to see, where there is one."""
        ...

    async def may_see(self, incident: str, text: str) -> bool:
        """Whether a link permits to look at this incident, now."""
        ...

    async def incident(self, name: str) -> IncidentView | None: ...

    async def revoke(self) -> None:
        """Make all links void that were sent."""
        ...
