"""Agents that share a consumer ask each other what they have, before one keeps it again.

A frame comes again, and perhaps to another agent, when its acknowledgement did not get through.
Who has it on the disk says so; who is dead does not, and then the frame is kept once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import peek

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

# An answer takes a millisecond; frames come again when something broke, and then few.
_LISTEN_S = 1.0

Name = tuple[bytes, int]
Has = Callable[[bytes, int], bool]
_names = msgspec.msgpack.Decoder(list[Name])
_places = msgspec.msgpack.Decoder(list[int])


class Peers(msgspec.Struct, kw_only=True):
    """All agents of one group at one stream; a stranger of another group is not asked."""

    client: Any
    place: str
    has: Has

    @classmethod
    async def joined(cls, client: Client, *, stream: str, group: str, has: Has) -> Peers:
        """`has` says whether a frame is on our disk."""
        peers = cls(client=client, place=f"_QMON.held.{stream}.{group}", has=has)
        await client.subscribe(peers.place, cb=peers._answer)
        return peers

    async def hold(self, messages: Sequence[Msg]) -> set[int]:
        """Which of these have come before and are on another's disk: their places in the list."""
        asked = {at: name for at, one in enumerate(messages) if (name := self._doubtful(one))}
        if not asked:
            return set()
        places = [*asked]
        return {places[number] for number in await self._ask([*asked.values()])}

    def _doubtful(self, message: Msg) -> Name | None:
        """What another one may have, and we have not."""
        if message.metadata.num_delivered < 2:  # noqa: PLR2004 - the second time is the first doubt
            return None
        try:
            head = peek(message.data)
        except WireError:
            return None
        return None if self.has(head.process, head.sequence) else (head.process, head.sequence)

    async def _ask(self, names: list[Name]) -> set[int]:
        """Listens until all are known or the time is over."""
        inbox = self.client.new_inbox()
        heard = await self.client.subscribe(inbox)
        held: set[int] = set()
        try:
            await self.client.publish(self.place, msgspec.msgpack.encode(names), inbox)
            async with asyncio.timeout(_LISTEN_S):
                while len(held) < len(names):
                    said = _places.decode((await heard.next_msg(timeout=None)).data)
                    held.update(number for number in said if 0 <= number < len(names))
        except (TimeoutError, msgspec.DecodeError):
            pass
        finally:
            await heard.unsubscribe()
        return held

    async def _answer(self, message: Msg) -> None:
        try:
            names = _names.decode(message.data)
        except msgspec.DecodeError:
            return
        if held := [at for at, name in enumerate(names) if self.has(*name)]:
            await message.respond(msgspec.msgpack.encode(held))
