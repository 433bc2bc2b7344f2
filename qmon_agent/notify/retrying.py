"""When a message is tried again: exponentially later, jittered, until its deadline."""

from __future__ import annotations

from random import Random

import msgspec

from qmon_agent.domain.clock import SECOND
from qmon_agent.store.state.sendings import Leased, Settled

from .channels import Delivery
from .linking import Links

MOST_RETRY_AFTER_S = 3_600.0
MOST_REFERENCE = 1_000


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """How messages are sent: the pace of a channel's attempts, and what all of them carry.

    `owner` names who leases; two notifiers on one outbox need different names. Without `links`,
    messages lead nowhere.
    """

    first_s: float = 1.0
    factor: float = 2.0
    most_s: float = 300.0
    jitter: float = 0.2
    timeout_s: float = 20.0
    lease_s: float = 60.0
    at_once: int = 10
    owner: str = "agent"
    links: Links | None = None


def settle_as(
    leased: Leased, delivery: Delivery, now: int, *, sending: Sending, chance: Random
) -> Settled:
    """What becomes of a message after an attempt."""
    if delivery.outcome == "delivered":
        return Settled(
            status="sent",
            at=now,
            detail=delivery.detail,
            reference=delivery.reference[:MOST_REFERENCE],
        )
    if delivery.outcome == "refused":
        return Settled(status="dead", at=now, detail=delivery.detail, untold=delivery.untold)
    due_at = now + round(
        _wait_s(leased.attempts, delivery, sending=sending, chance=chance) * SECOND
    )
    if due_at >= leased.deadline:
        detail = f"gave up at the deadline: {delivery.detail}"
        return Settled(status="dead", at=now, detail=detail, untold=delivery.untold)
    return Settled(
        status="waiting", at=now, detail=delivery.detail, due_at=due_at, untold=delivery.untold
    )


def again_in_s(delivery: Delivery) -> float:
    """When a message is tried again whose first attempt went so, but for the jitter."""
    return max(Sending().first_s, asked_s(delivery))


def asked_s(delivery: Delivery) -> float:
    """For how long the receiver wants to be left alone, by all messages; an hour at most."""
    return min(delivery.retry_after_s, MOST_RETRY_AFTER_S)


def _wait_s(attempt: int, delivery: Delivery, *, sending: Sending, chance: Random) -> float:
    grown = sending.first_s * sending.factor ** min(attempt - 1, 40)
    spread = 1 + chance.uniform(-sending.jitter, sending.jitter)
    return max(min(grown, sending.most_s) * spread, asked_s(delivery))
