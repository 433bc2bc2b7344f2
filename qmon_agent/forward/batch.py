"""What a sink is given at once: the frames of some records, and a name that is theirs for ever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import msgspec

from qmon_agent.journal import Record
from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import Frame, decode_frame
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


def batch_of(records: Sequence[Record]) -> Batch:
    """Named by process and sequence of its frames; what cannot be decoded is left out."""
    digest = blake2b(digest_size=_ID_BYTES)
    for record in records:
        digest.update(record.process + record.sequence.to_bytes(8, "big"))
    read = [*_frames_of(records)]
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


def _frames_of(records: Sequence[Record]) -> Iterator[tuple[Frame, bytes]]:
    for record in records:
        try:
            yield decode_frame(record.payload), record.payload
        except WireError:
            continue
