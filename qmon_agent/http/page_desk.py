"""What the route of the status page needs of the agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class PageDesk(Protocol):
    """The status page that is configured, if one is."""

    @property
    def is_public(self) -> bool: ...

    async def public(self) -> Mapping[str, Any] | None:
        """What strangers are shown, which may be some seconds old; none is configured: `None`."""

    async def current(self, *, with_internals: bool) -> Mapping[str, Any] | None:
        """The page as it is now, maybe with what is for us only."""
