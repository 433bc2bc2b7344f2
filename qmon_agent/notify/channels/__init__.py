"""Channels: one way to tell somebody per file. The protocol, its answers, and the registry."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from qmon_agent.domain.plugins import Registry
from qmon_agent.notify.message import Message


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """How a sending went: `delivered`, `retry` (may be tried again), or `refused` (never will).

    `detail` is shown to people and kept: no secrets. `reference` is what the service calls the
    message; it is kept with the incident, and later messages about it bring it along. `untold` says
    that surely nobody has it, as where there was no connection: who may have heard that something
    fires hears that it is over, and who surely has not does not.
    """

    outcome: Literal["delivered", "retry", "refused"]
    detail: str = ""
    retry_after_s: float = 0.0
    reference: str = ""
    untold: bool = False


DELIVERED = Delivery(outcome="delivered")


class Channel(Protocol):
    """A way to tell somebody, whose fields are its options.

    Called by one task per channel, never twice at once, with a deadline around it. The same
    message may come again after a crash: `message.key` is the same then, and the receiver shall be
    given it. Anything raised, and the deadline, count as `retry`. What is in a message is one line
    without control characters each, and else whatever somebody wrote: it is never markup. One
    that can show a picture says so with `TAKES_CHART: ClassVar[bool] = True`, one whose service
    fetches pictures by their address with `TAKES_CHART_LINK`, and one that writes where many read,
    as a log, with `IS_LOG`: it gets no link that carries a right.
    """

    async def send(self, message: Message) -> Delivery:
        """Tell it once and say how that went."""
        ...


CHANNELS: Registry[Channel] = Registry(__name__, role="Channel")
