"""From the bytes of a message to an outcome its sender can be told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from qmon_agent.ingest.admission import Admission
from qmon_agent.ingest.outcome import Fate, Outcome, Peer
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import MAX_FRAME_BYTES, Head, decode_frame, peek

# A dead letter shows what came; keeping the whole of an oversize one would be its success.
_BURIED_BYTES = 64 * 1024

Answer = asyncio.Future[Outcome]


class Kept(Protocol):
    """How a submitted frame ended: `stored`, `duplicate`, or `refused` with a reason."""

    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str: ...


class Keeper(Protocol):
    """What the pipeline needs of the journal. Called on the loop; never waits for the disk."""

    def seen(self, process: bytes, sequence: int) -> bool: ...

    def submit(self, payload: bytes, *, process: bytes, sequence: int) -> Awaitable[Kept]: ...

    def bury(self, payload: bytes, reason: str) -> Awaitable[None]: ...


class Intake:
    """The one pipeline: admitted, peeked at, de-duplicated, checked, kept, answered."""

    def __init__(self, keeper: Keeper, *, admission: Admission, vitals: Vitals) -> None:
        self.admission = admission
        self._keeper = keeper
        self._vitals = vitals
        self._flying: dict[tuple[bytes, int], Answer] = {}

    @property
    def flying(self) -> int:
        """Frames taken and not answered yet."""
        return len(self._flying)

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
            return self._reject(frame, 0, f"undecodable: {problem.reason}")
        if size > MAX_FRAME_BYTES:
            return self._reject(frame, head.sequence, "oversize")
        return self._repeated(head) or self._checked(frame, head)

    def _repeated(self, head: Head) -> Answer | None:
        """A frame we have is acknowledged again, but one under way only when it has landed."""
        flying = self._flying.get((head.process, head.sequence))
        if flying is None and not self._keeper.seen(head.process, head.sequence):
            return None
        self._vitals.add("frames_duplicate")
        answer: Answer = asyncio.get_running_loop().create_future()
        if flying is None:
            answer.set_result(Outcome(fate=Fate.DUPLICATE, sequence=head.sequence))
        else:
            flying.add_done_callback(lambda done: _follow(answer, done))
        return answer

    def _checked(self, frame: bytes, head: Head) -> Answer:
        try:
            decode_frame(frame)
        except WireError as problem:
            return self._reject(frame, head.sequence, f"undecodable: {problem.reason}")
        return self._keep(frame, head)

    def _keep(self, frame: bytes, head: Head) -> Answer:
        answer: Answer = asyncio.get_running_loop().create_future()
        self._flying[head.process, head.sequence] = answer
        self.admission.hold(len(frame))
        kept = asyncio.ensure_future(
            self._keeper.submit(frame, process=head.process, sequence=head.sequence)
        )
        kept.add_done_callback(lambda done: self._landed(done, answer, head, len(frame)))
        return answer

    def _landed(
        self, kept: asyncio.Future[Kept], answer: Answer, head: Head, size: int
    ) -> None:
        del self._flying[head.process, head.sequence]
        self.admission.release(size)
        outcome = _outcome_of(kept, head.sequence)
        self._vitals.add(f"frames_{outcome.fate.value}")
        if not answer.done():
            answer.set_result(outcome)

    def _reject(self, frame: bytes, sequence: int, reason: str) -> Answer:
        self._vitals.add("frames_rejected", reason=reason.partition(":")[0])
        buried = asyncio.ensure_future(self._keeper.bury(frame[:_BURIED_BYTES], reason))
        answer: Answer = asyncio.get_running_loop().create_future()
        outcome = Outcome(fate=Fate.REJECTED, sequence=sequence, reason=reason)
        buried.add_done_callback(lambda done: _rejected(answer, done, outcome))
        return answer


def _outcome_of(kept: asyncio.Future[Kept], sequence: int) -> Outcome:
    if kept.cancelled():
        return Outcome(fate=Fate.REFUSED, sequence=sequence, reason="stopping")
    if problem := kept.exception():
        return Outcome(fate=Fate.REFUSED, sequence=sequence, reason=str(problem))
    result = kept.result()
    return Outcome(fate=Fate(result.status), sequence=sequence, reason=result.reason)


def _follow(answer: Answer, done: Answer) -> None:
    if answer.done():
        return
    outcome = done.result()
    if outcome.fate is Fate.STORED:
        outcome = Outcome(fate=Fate.DUPLICATE, sequence=outcome.sequence)
    answer.set_result(outcome)


def _rejected(answer: Answer, buried: asyncio.Future[None], outcome: Outcome) -> None:
    # A dead letter that cannot be written is no reason to let its sender try for ever.
    if not buried.cancelled():
        buried.exception()
    if not answer.done():
        answer.set_result(outcome)
