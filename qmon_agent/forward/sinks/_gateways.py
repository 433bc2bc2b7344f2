"""One gateway of several, and what of a batch has not arrived at any of them yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import msgspec

from qmon_agent.forward.batch import Batch
from qmon_agent.forward.sinks import Delivery
from qmon_agent.forward.sinks._http import Answer, EndpointSink, Post, judged
from qmon_sdk.protocol.frames import Frame, encode_frame, pack_length

# One frame may be four times as much; then it travels alone.
BODY_BYTES = 1 << 20
_ID_BYTES = 8


class Gateway(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One that is not like the others; what it does not say is said by the sink."""

    url: str
    """Where it is, as `https://gateway:7690`."""
    token: str = ""
    """A token of its own, of scope ingest."""
    ca_file: str = ""
    """Certificates to trust there instead of those of the sink, as PEM."""
    certificate: str = ""
    """File of our certificate chain for it."""
    key: str = ""
    """File of that certificate's private key."""


class Line(EndpointSink, kw_only=True):
    """The way to one agent: what it is given is one body, and arrives as a whole."""

    token: str = ""

    def posts(self, batch: Batch) -> Iterator[Post]:
        yield Post(
            path="/api/qmon/frames",
            body=b"".join(map(pack_length, batch.payloads)),
            content_type="application/octet-stream",
            headers={"authorization": f"Bearer {self.token}"} if self.token else {},
            key=batch.id,
            rows=sum(map(_rows_of, batch.frames)),
        )

    def judge(self, post: Post, answer: Answer) -> Delivery:
        """Frames that the other agent can make nothing of are dead letters there as well."""
        if not answer.is_well:
            return judged(post, answer, self.endpoint)
        try:
            said = _read(answer.body)
        except msgspec.DecodeError:
            return Delivery(outcome="retry", detail="an answer that is no agent's")
        if said.rejected:
            return Delivery(
                outcome="refused", rejected=post.rows, detail=f"it rejects: {said.rejected[0][1]}"
            )
        return Delivery(outcome="delivered")


class _Said(msgspec.Struct, frozen=True):
    acknowledged: list[int]
    rejected: list[tuple[int, str]] = []


_read = msgspec.json.Decoder(_Said).decode


class Remainder:
    """What is left of a batch. The same batch once more goes on where it was."""

    def __init__(self, batch: Batch) -> None:
        self.id = batch.id
        payloads = batch.payloads or [encode_frame(frame) for frame in batch.frames]
        self.left: list[tuple[Frame, bytes]] = [*zip(batch.frames, payloads, strict=True)]
        self._refused: list[Delivery] = []

    def parcel(self, frames: Sequence[tuple[Frame, bytes]]) -> Batch:
        """The first of these, as many as travel together; named by what is in it."""
        digest, size = blake2b(digest_size=_ID_BYTES), 0
        taken: list[tuple[Frame, bytes]] = []
        for frame, payload in frames:
            size += len(payload)
            if taken and size > BODY_BYTES:
                break
            digest.update(frame.process + frame.sequence.to_bytes(8, "big"))
            taken.append((frame, payload))
        return Batch(
            id=f"{self.id}-{digest.hexdigest()}",
            frames=tuple(frame for frame, _ in taken),
            payloads=tuple(payload for _, payload in taken),
        )

    def settled(self, parcel: Batch, delivery: Delivery) -> None:
        """It has arrived, or never will."""
        gone = {id(frame) for frame in parcel.frames}
        self.left = [both for both in self.left if id(both[0]) not in gone]
        if delivery.outcome == "refused":
            self._refused.append(delivery)

    def delivery(self) -> Delivery:
        """Of the whole, when nothing is left."""
        return Delivery(
            outcome="refused" if self._refused else "delivered",
            detail=self._refused[-1].detail if self._refused else "",
            rejected=sum(each.rejected for each in self._refused),
        )


def _rows_of(frame: Frame) -> int:
    """At least one: a frame without rows has a ledger to tell."""
    return max(1, Batch(id="", frames=(frame,)).signals)
