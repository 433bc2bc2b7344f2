"""Another agent, or a gateway of many: the frames themselves, as they came."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from qmon_agent.forward.batch import Batch
from qmon_sdk.protocol.frames import Frame, encode_frame, pack_length

from . import Delivery
from ._http import Answer, EndpointSink, Post, judged

# One frame may be four times as much; then it travels alone.
_BODY_BYTES = 1 << 20


class NativeSink(EndpointSink, kw_only=True, forbid_unknown_fields=True):
    """Process and sequence stay those of the first sender, so the other agent keeps each once."""

    endpoint: str
    """Where to, as `https://gateway:7690`; `/api/qmon/frames` is added."""
    token: str = ""
    """Of the other agent, of scope ingest."""

    def posts(self, batch: Batch) -> Iterator[Post]:
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        for number, (rows, body) in enumerate(_bodies(batch), 1):
            yield Post(
                path="/api/qmon/frames",
                body=body,
                content_type="application/octet-stream",
                headers=headers,
                key=f"{batch.id}-{number}",
                rows=rows,
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


def _bodies(batch: Batch) -> Iterator[tuple[int, bytes]]:
    """Some frames together, and how many signals they hold."""
    rows, body = 0, bytearray()
    payloads = batch.payloads or [encode_frame(frame) for frame in batch.frames]
    for frame, payload in zip(batch.frames, payloads, strict=True):
        if body and len(body) + len(payload) > _BODY_BYTES:
            yield rows, bytes(body)
            rows, body = 0, bytearray()
        rows += _rows_of(frame)
        body += pack_length(payload)
    yield rows, bytes(body)


def _rows_of(frame: Frame) -> int:
    """At least one: a frame without rows has a ledger to tell."""
    return max(1, Batch(id="", frames=(frame,)).signals)
