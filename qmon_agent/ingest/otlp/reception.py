"""One request of OTLP, whoever carries it: admitted, read, kept, and answered for."""

from __future__ import annotations

import asyncio
import enum
import time

import msgspec

from qmon_agent.ingest.foreign import take_parcel
from qmon_agent.ingest.growth import Growth
from qmon_agent.ingest.outcome import Fate, Outcome, Peer
from qmon_agent.ingest.sources import Door
from qmon_sdk.protocol.errors import WireError

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
    UNIMPLEMENTED = 12
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


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

    async def take(self, lane: Lane, body: bytes, *, encoding: Encoding, peer: Peer) -> Reply:
        """Never raises for what a sender did."""
        admission = self._door.intake.admission
        if wait_s := self._door.intake.wait_before(peer, len(body)):
            return Reply(code=Code.RESOURCE_EXHAUSTED, message="over budget", wait_s=wait_s)
        admission.hold(len(body), peer)
        try:
            translated = await self._translated(lane, body, encoding)
            outcome = await take_parcel(self._door.intake, translated.parcel, peer)
        except WireError as problem:
            self._door.vitals.add("bodies_rejected", reason=problem.reason)
            await self._door.intake.bury(body, f"{problem.reason}: {lane} from {peer.name}")
            return Reply(code=Code.INVALID_ARGUMENT, message=str(problem))
        finally:
            admission.release(len(body), peer)
        return self._reply(lane, translated, outcome)

    async def _translated(self, lane: Lane, body: bytes, encoding: Encoding) -> Translated:
        translate, keeps = self._translator.translate, self._door.passes_on(PROTOCOL)
        if len(body) < _AT_ONCE_BYTES:
            return translate(lane, body, encoding, keep_original=keeps)
        async with self._one_at_a_time:
            return await asyncio.to_thread(translate, lane, body, encoding, keep_original=keeps)

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
