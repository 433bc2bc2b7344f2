"""One request of OTLP, whoever carries it: admitted, read, kept, and answered for."""

from __future__ import annotations

import asyncio
import enum
import time

import msgspec

from qmon_agent.ingest.foreign import take_parcel
from qmon_agent.ingest.growth import Growth
from qmon_agent.ingest.outcome import Fate, Outcome, Peer
from qmon_agent.ingest.packings import most_of, unpacked
from qmon_agent.ingest.sources import Door
from qmon_sdk.protocol.errors import OversizeError, WireError

from .encoding import Encoding, Lane
from .translation import PROTOCOL, Translated, Translator

# Beyond this, a message is read on a thread, one at a time: the loop has others to listen to.
_AT_ONCE_BYTES = 16 * 1024
_LOST = "signals larger than a frame may be"


class Code(enum.IntEnum):
    """What google.rpc calls how it went."""

    OK = 0
    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What a sender has sent."""

    lane: Lane
    body: bytes
    packing: str = ""
    """How it is packed still."""
    most: int = 64 << 20
    """What it may be unpacked to."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What its sender is told; sent again is only what was exhausted or unavailable."""

    code: Code = Code.OK
    message: str = ""
    rejected: int = 0
    wait_s: int = 0


class Reception:
    """Takes requests for one source, as long as its door is open."""

    def __init__(self, door: Door, *, most_series: int, expire_s: float) -> None:
        self._door = door
        series = Growth(most=most_series, expire_s=expire_s, began=time.time_ns())
        self._translator = Translator(series)
        self._one_at_a_time = asyncio.Lock()

    @property
    def series(self) -> int:
        """How many cumulative series are remembered."""
        return len(self._translator.series)

    async def take(self, sent: Sent, *, encoding: Encoding, peer: Peer) -> Reply:
        """Never raises for what a sender did."""
        intake, lane = self._door.intake, sent.lane
        if wait_s := intake.wait_before(peer, len(sent.body)):
            return Reply(code=Code.RESOURCE_EXHAUSTED, message="over budget", wait_s=wait_s)
        workroom = intake.admission.workroom
        limit = min(sent.most, workroom.largest)
        size = most_of(sent.body, max_bytes=limit) if sent.packing else len(sent.body)
        try:
            async with workroom.work(size, peer):
                translated = await self._translated(sent, encoding, limit)
                outcome = await take_parcel(intake, translated.parcel, peer)
        except WireError as problem:
            self._door.vitals.add("bodies_rejected", reason=problem.reason)
            await intake.bury(sent.body, f"{problem.reason}: {lane} from {peer.name}")
            is_large = isinstance(problem, OversizeError)
            code = Code.OUT_OF_RANGE if is_large else Code.INVALID_ARGUMENT
            return Reply(code=code, message=str(problem))
        return self._reply(lane, translated, outcome)

    async def _translated(self, sent: Sent, encoding: Encoding, limit: int) -> Translated:
        translate, keeps = self._translator.translate, self._door.passes_on(PROTOCOL)
        body = sent.body
        if sent.packing:
            body = await asyncio.to_thread(unpacked, body, sent.packing, max_bytes=limit)
        if len(body) < _AT_ONCE_BYTES:
            return translate(sent.lane, body, encoding, keep_original=keeps)
        async with self._one_at_a_time:
            return await asyncio.to_thread(
                translate, sent.lane, body, encoding, keep_original=keeps
            )

    def _reply(self, lane: Lane, translated: Translated, outcome: Outcome) -> Reply:
        if outcome.fate is Fate.REFUSED:
            self._translator.refused(translated)
            return Reply(code=Code.UNAVAILABLE, message=outcome.reason, wait_s=1)
        self._translator.kept()
        if outcome.fate is Fate.DUPLICATE:
            return self._told(translated, outcome)
        self._door.vitals.add("otlp_rejected", translated.count + outcome.lost, lane=lane)
        self._door.vitals.add("otlp_exemplars", translated.exemplars)
        return self._told(translated, outcome)

    def _told(self, translated: Translated, outcome: Outcome) -> Reply:
        lost = f"{outcome.lost} {_LOST}" if outcome.lost else ""
        message = "; ".join(filter(None, (translated.message, lost)))
        return Reply(message=message, rejected=translated.count + outcome.lost)
