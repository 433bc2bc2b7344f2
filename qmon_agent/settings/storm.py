"""`[storm]`: how much a channel hears one by one, before it is summed up."""

from __future__ import annotations

from typing import Annotated

import msgspec


class StormOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """More messages about what begins than this are a storm, of which one message is sent."""

    messages: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 20
    """How many a channel gets within that time, critical ones beside; 0: there is no brake."""
    within: str | float = "1m"
    """Over how long they are counted."""
