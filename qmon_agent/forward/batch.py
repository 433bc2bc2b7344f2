"""What a sink is given at once: the frames of some records, and a name that is theirs for ever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import msgspec

from qmon_agent.domain.routing import ROUTES, routes_of
from qmon_agent.journal import Record
from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import Frame, decode_frame, encode_frame
from qmon_sdk.protocol.signals import SIGNALS, Signal

_ID_BYTES = 16


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The same `id` always means the same frames in the same order, whoever made the batch."""

    id: str
    frames: tuple[Frame, ...]
    payloads: tuple[bytes, ...] = ()
    """The bytes of those frames as they came, for who passes them on."""

    @property
    def signals(self) -> int:
        """How many rows of a kind that we know."""
        return sum(block.rows for frame in self.frames for block in frame.blocks if _known(block))


def batch_of(records: Sequence[Record], routes: frozenset[str] = frozenset()) -> Batch:
    """Named by process and sequence of its frames; what cannot be decoded is left out.

    So is what does not lead to a sink with these `routes`.
    """
    digest = blake2b(digest_size=_ID_BYTES)
    read: list[tuple[Frame, bytes]] = []
    for record in records:
        try:
            frame = decode_frame(record.payload)
        except WireError:
            frame = None
        if frame is not None and not routes_of(frame).lead_to(routes):
            continue
        digest.update(record.process + record.sequence.to_bytes(8, "big"))
        if frame is not None:
            read.append(_unmarked(frame, record.payload))
    return Batch(
        id=digest.hexdigest(),
        frames=tuple(frame for frame, _ in read),
        payloads=tuple(payload for _, payload in read),
    )


def signals_of(frame: Frame) -> Iterator[tuple[str, list[Signal]]]:
    """Kind and rows of each block that we know; a block that contradicts itself is left out.

    The journal keeps such blocks for who may read them one day, and the store counts them.
    """
    for block in frame.blocks:
        if _known(block):
            try:
                yield block.kind, rows_of(block)
            except WireError:
                continue


def _known(block: object) -> bool:
    return getattr(block, "kind", "") in SIGNALS


def _unmarked(frame: Frame, payload: bytes) -> tuple[Frame, bytes]:
    """Our marks lead through our own house, and not through that of whoever gets it."""
    if not any(block.kind == ROUTES for block in frame.blocks):
        return frame, payload
    blocks = tuple(block for block in frame.blocks if block.kind != ROUTES)
    unmarked = frame.replace(blocks=blocks)
    return unmarked, encode_frame(unmarked)
