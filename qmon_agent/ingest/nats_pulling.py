"""Frames out of NATS: asked for in portions from a stream, or heard at a subject."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from qmon_agent.ingest.nats_peers import Has, Peers
from qmon_agent.ingest.outcome import Fate, Outcome
from qmon_sdk.protocol.frames import Ack, encode_ack

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

# A question that a server took with it into its grave is asked anew after no more than this.
_EXPIRES_S = 5.0
# A server that says nothing by then has stopped in between, or does not know the consumer.
_GRACE_S = 2.0
_LATER_S = 1.0
# Of all agents that share a consumer: what they have and did not answer yet.
_MOST_UNANSWERED = 10_000
# What a slow agent leaves lying is dropped beyond this; a subject keeps nothing.
_HEARD_BYTES = 16 << 20
# No frame is there, or none came within the time.
_OVER = {"404", "408"}


class Puller(Protocol):
    """Where frames come from."""

    async def pull(self, most: int) -> list[Msg]:
        """Some, at most so many, as soon as there is one; raises errors of NATS."""

    async def held(self, messages: list[Msg]) -> set[int]:
        """Which of them another agent of the group has on its disk: places in the list."""

    async def answer(self, message: Msg, outcome: Outcome) -> None:
        """Tells what became of one; raises errors of NATS where it is not heard."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Of which stream a consumer is, and what it is to be; no stream: the one of the subject."""

    subject: str
    stream: str
    group: str
    ack_wait_s: float


class Consumer(msgspec.Struct, kw_only=True):
    """A durable consumer of a stream: what is not acknowledged comes again, to whoever asks."""

    client: Any
    stream: str
    name: str
    inbox: str
    heard: Any
    peers: Peers
    patience_s: float
    asked: int = 0

    @classmethod
    async def made(cls, client: Client, terms: Terms, *, has: Has, patience_s: float) -> Consumer:
        """Finds the stream that keeps the subject, and makes the consumer unless it is there."""
        from nats.js import api, errors

        manager = client.jsm()
        stream = terms.stream or await manager.find_stream_name_by_subject(terms.subject)
        try:
            await manager.consumer_info(stream, terms.group)
        except errors.NotFoundError:
            config = api.ConsumerConfig(
                durable_name=terms.group,
                filter_subject=terms.subject,
                ack_policy=api.AckPolicy.EXPLICIT,
                ack_wait=terms.ack_wait_s,
                max_ack_pending=_MOST_UNANSWERED,
            )
            await manager.add_consumer(stream, config)
        inbox = client.new_inbox()
        return cls(
            client=client,
            stream=stream,
            name=terms.group,
            inbox=inbox,
            heard=await client.subscribe(inbox),
            peers=await Peers.joined(client, stream=stream, group=terms.group, has=has),
            patience_s=patience_s,
        )

    async def pull(self, most: int) -> list[Msg]:
        """One request at a time: the server sends no more than what was asked for."""
        if self.asked <= 0:
            await self._ask(most)
        first = await self.heard.next_msg(timeout=_EXPIRES_S + _GRACE_S)
        messages = [first, *[await self.heard.next_msg() for _ in range(self.heard.pending_msgs)]]
        return [message for message in messages if self._is_frame(message)]

    async def held(self, messages: list[Msg]) -> set[int]:
        return await self.peers.hold(messages)

    async def answer(self, message: Msg, outcome: Outcome) -> None:
        """What is in the dead letters is never sent again; what was refused, after a while.

        An acknowledgement is answered: what the servers do not know of comes again.
        """
        if outcome.acknowledged:
            await message.ack_sync(self.patience_s)
        elif outcome.fate is Fate.REJECTED:
            await message.term()
        else:
            await message.nak(delay=_LATER_S)

    async def _ask(self, most: int) -> None:
        wanted = {"batch": most, "expires": int(_EXPIRES_S * 1_000_000_000)}
        place = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{self.name}"
        await self.client.publish(place, json.dumps(wanted).encode(), self.inbox)
        self.asked = most

    def _is_frame(self, message: Msg) -> bool:
        """Otherwise it tells that no more comes of what was asked for, or that all is to be asked
        for anew: the consumer is gone, or another server leads.
        """
        from nats.errors import Error

        status = (message.headers or {}).get("Status")
        if status and status not in _OVER:
            raise Error(f"{status} {(message.headers or {}).get('Description', '')}")
        self.asked = 0 if status else self.asked - 1
        return not status


class Subject(msgspec.Struct, kw_only=True):
    """A plain subject, heard as one of a queue group: it comes once, and to one of them."""

    client: Any
    heard: Any

    @classmethod
    async def made(cls, client: Client, *, subject: str, group: str) -> Subject:
        heard = await client.subscribe(subject, queue=group, pending_bytes_limit=_HEARD_BYTES)
        await client.flush()
        return cls(client=client, heard=heard)

    async def pull(self, most: int) -> list[Msg]:
        first = await self.heard.next_msg(timeout=None)
        waiting = min(most - 1, self.heard.pending_msgs)
        return [first, *[await self.heard.next_msg() for _ in range(waiting)]]

    async def held(self, messages: list[Msg]) -> set[int]:  # noqa: ARG002 - none comes twice
        return set()

    async def answer(self, message: Msg, outcome: Outcome) -> None:
        """Who asked is answered as on a socket."""
        if message.reply:
            told = Ack(sequences=(outcome.sequence,) if outcome.acknowledged else (), credit=0)
            if outcome.fate is Fate.REJECTED:
                told = Ack(rejected=((outcome.sequence, outcome.reason),), credit=0)
            await self.client.publish(message.reply, encode_ack(told))
