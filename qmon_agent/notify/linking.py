"""Where a message leads to: the incident, what may be done with one tap, a picture."""

from __future__ import annotations

from typing import Protocol

import msgspec

from qmon_agent.domain.notices import Notice

from .message import Action


class Linked(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses of one message; where there is none, it is empty."""

    show: str = ""
    actions: tuple[Action, ...] = ()
    chart: str = ""


UNLINKED = Linked()


class Links(Protocol):
    """Who makes them. Called from threads."""

    def of(self, notice: Notice, channel: str, *, is_log: bool) -> Linked:
        """Those of a message to a channel; in a log, which many read, none carries a right."""
        ...
