"""From the bytes of a message to an outcome its sender can be told."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import Protocol

from qmon_agent.ingest.admission import Admission
from qmon_agent.ingest.cardinality import Cardinality
from qmon_agent.ingest.outcome import Fate, Outcome, Peer
from qmon_agent.ingest.talkers import Talkers
from qmon_agent.ingest.turned_away import TurnedAway
from qmon_agent.settings import Cardinality as CardinalityOptions
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.amending import amend
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import MAX_FRAME_BYTES, Frame, Head, decode_frame, peek

# A dead letter shows what came; keeping the whole of an oversize one would be its success.
_BURIED_BYTES = 64 * 1024

Answer = asyncio.Future[Outcome]


class Kept(Protocol):
    """How a submitted frame ended: `stored`, `duplicate`, or `refused` with a reason."""

    @property
    def outcome(self) -> str: ...
    @property
    def reason(self) -> str: ...


class Keeper(Protocol):
    """What the pipeline needs of the journal. Called on the loop; never waits for the disk."""

    def seen(self, process: bytes, sequence: int) -> bool: ...

    def is_coming(self, process: bytes, sequence: int) -> bool:
        """Whether it was submitted, and is not on disk yet."""

    def submit(self, payload: bytes, *, process: bytes, sequence: int) -> asyncio.Future[Kept]:
        """Resolves when the frame is on disk, also for one that is on its way already."""

    def bury(self, payload: bytes, reason: str) -> Awaitable[None]: ...


class Intake:
    """The one pipeline: peeked at, de-duplicated, checked, counted, kept, answered."""

    def __init__(
        self,
        keeper: Keeper,
        *,
        admission: Admission,
        vitals: Vitals,
        cardinality: Cardinality | None = None,
    ) -> None:
        self.admission = admission
        self.cardinality = cardinality or Cardinality(CardinalityOptions(), vitals=vitals)
        self.talkers = Talkers()
        self.turned_away = TurnedAway(vitals)
        self._keeper = keeper
        self._vitals = vitals

    def take(self, frame: bytes, peer: Peer, *, size: int | None = None) -> Answer:
        """Takes one frame, without its length prefix; resolves when it is on disk or refused.

        `size` is the declared length where the source did not read all of it.
        """
        size = len(frame) if size is None else size
        self._vitals.add("frames_received")
        self._vitals.add("bytes_received", size)
        try:
            head = peek(frame)
        except WireError as problem:
            return self._reject(frame, 0, reason=problem.reason, peer=peer)
        if size > MAX_FRAME_BYTES:
            return self._reject(frame, head.sequence, reason="oversize", peer=peer)
        if self._keeper.seen(head.process, head.sequence):
            return self._answered(Outcome(fate=Fate.DUPLICATE, sequence=head.sequence))
        return self._take_read(frame, head, peer)

    def wait_before(self, peer: Peer, size: int) -> int:
        """Books a message that has not been read yet; for how many seconds its sender should wait.

        0: it may come in. For sources whose senders can be told to come again.
        """
        delay = self.admission.charge(peer, size)
        if delay <= 0 and not self.admission.is_full_for(peer):
            return 0
        self.refuse(peer)
        return max(1, math.ceil(delay))

    def refuse(self, peer: Peer) -> None:
        """Books that a sender was told to come later."""
        self._vitals.add("messages_refused")
        self.talkers.refused(peer.name)

    def knows(self, process: bytes, sequence: int) -> bool:
        """Whether a frame of this name is stored already, or on its way to the disk."""
        keeper = self._keeper
        return keeper.seen(process, sequence) or keeper.is_coming(process, sequence)

    def has(self, process: bytes, sequence: int) -> bool:
        """Whether a frame of this name is on the disk."""
        return self._keeper.seen(process, sequence)

    def take_made(
        self, frame: bytes, head: Head, *, peer: Peer, made_of: Frame | None = None
    ) -> Answer:
        """Takes a frame that a source has made itself, of what this peer has sent.

        `made_of` is what is in it, as far as it is looked at, and saves reading it.
        """
        self._vitals.add("frames_received")
        self._vitals.add("bytes_received", len(frame))
        if self._keeper.seen(head.process, head.sequence):
            return self._answered(Outcome(fate=Fate.DUPLICATE, sequence=head.sequence))
        return self._take_read(frame, head, peer, made_of=made_of)

    def reject_made(self, head: Head, reason: str, peer: Peer) -> Answer:
        """Counts what a source has made and no frame can carry."""
        self._vitals.add("frames_received")
        return self._reject(b"", head.sequence, reason=reason, peer=peer)

    async def bury(self, data: bytes, reason: str) -> None:
        """Keep the beginning of what no source can make frames of, for a person to look at."""
        await self._keeper.bury(data[:_BURIED_BYTES], reason)

    def _take_read(
        self, frame: bytes, head: Head, peer: Peer, *, made_of: Frame | None = None
    ) -> Answer:
        try:
            read = made_of or decode_frame(frame)
            service = read.resource.service
            self.talkers.heard(peer.name, service, size=len(frame), blocks=read.blocks)
            if over := self.cardinality.over_in(read, peer):
                frame = amend(frame, over)
        except WireError as problem:
            return self._reject(frame, head.sequence, reason=problem.reason, peer=peer)
        return self._keep(frame, head, peer)

    def _keep(self, frame: bytes, head: Head, peer: Peer) -> Answer:
        answer: Answer = asyncio.get_running_loop().create_future()
        self.admission.hold(len(frame), peer)
        kept = self._keeper.submit(frame, process=head.process, sequence=head.sequence)

        def landed(done: asyncio.Future[Kept]) -> None:
            self.admission.release(len(frame), peer)
            outcome = _outcome_of(done, head.sequence)
            self._vitals.add(f"frames_{outcome.fate.value}")
            if not answer.done():
                answer.set_result(outcome)

        kept.add_done_callback(landed)
        return answer

    def _reject(self, frame: bytes, sequence: int, *, reason: str, peer: Peer) -> Answer:
        self._vitals.add("frames_rejected", reason=reason)
        self.talkers.rejected(peer.name, len(frame))
        answer: Answer = asyncio.get_running_loop().create_future()
        outcome = Outcome(fate=Fate.REJECTED, sequence=sequence, reason=reason)
        buried = asyncio.ensure_future(
            self._keeper.bury(frame[:_BURIED_BYTES], f"{reason}: from {peer.name}")
        )

        def told(done: asyncio.Future[None]) -> None:
            # A dead letter that cannot be written is no reason to let its sender try for ever.
            if not done.cancelled() and done.exception() is not None:
                self._vitals.add("dead_letters_not_kept")
            if not answer.done():
                answer.set_result(outcome)

        buried.add_done_callback(told)
        return answer

    def _answered(self, outcome: Outcome) -> Answer:
        self._vitals.add(f"frames_{outcome.fate.value}")
        answer: Answer = asyncio.get_running_loop().create_future()
        answer.set_result(outcome)
        return answer


def _outcome_of(kept: asyncio.Future[Kept], sequence: int) -> Outcome:
    if kept.cancelled():
        return Outcome(fate=Fate.REFUSED, sequence=sequence, reason="stopping")
    if problem := kept.exception():
        return Outcome(fate=Fate.REFUSED, sequence=sequence, reason=str(problem))
    result = kept.result()
    return Outcome(fate=Fate(result.outcome), sequence=sequence, reason=result.reason)
