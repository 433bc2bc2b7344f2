"""What the routes of holds and of forgetting need of the agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class KeepDesk(Protocol):
    """What is kept, and what is not any more. Everything is on disk before it returns."""

    async def holds(self, *, removed: bool = False) -> list[dict[str, Any]]:
        """Those in force, the oldest first; those that were removed as well."""
        ...

    async def add_hold(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """From when it returns, nothing that fits it is given up; raises QueryError."""
        ...

    async def remove_hold(self, hold: str, *, author: str) -> dict[str, Any] | None:
        """What was held is given up again; none of this id is in force: `None`."""
        ...

    async def would_forget(self, user: str) -> Mapping[str, Any]:
        """What `forget` would remove; raises QueryError."""
        ...

    async def forget(self, user: str, *, author: str) -> Mapping[str, Any]:
        """It will be done, also after a kill, from when this returns; raises QueryError."""
        ...

    async def forgettings(self) -> list[dict[str, Any]]: ...

    async def forgetting(self, request: str) -> Mapping[str, Any]:
        """One request and how far it is; raises NotFoundError."""
        ...
